/**
 * A server that keeps a stay, as a process of its own: it listens, opens tunnels through a stand-in of cloudflared, and has a
 * caretaker. Bundled and started by servers.ts. Its argument is a JSON of {@link ServerOptions}; it writes a line of JSON of
 * {@link ServerReport} whenever its addresses have changed, and takes `close` and `exit` on its standard input. The end of that is its own
 * end, with which the stay is kept.
 */
import { createInterface } from "node:readline";
import type { HeldAddress } from "../../../src/children/holding/care-record.ts";
import { startCaretaker } from "../../../src/children/holding/caretaker.ts";
import { relieve } from "../../../src/children/holding/relieve.ts";
import { processTable } from "../../../src/children/identity.ts";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { Listeners } from "../../../src/transport/listeners.ts";
import { createCloudflaredOpener } from "../../../src/tunnel/cloudflared/cloudflared.ts";
import { binaryEnvironment, hostFacts } from "../../../src/tunnel/cloudflared/environment.ts";
import { TunnelPool } from "../../../src/tunnel/pool/pool.ts";
import { declareProvider, type Provider } from "../../../src/tunnel/provider.ts";

export interface ServerOptions {
  readonly stay: string;
  readonly records: string;
  readonly cloudflared: string;
  readonly keptMs: number;
  /** Takes the stay over instead of beginning it. */
  readonly resume?: boolean;
  /** Opens a second tunnel ahead of a loss. */
  readonly standby?: boolean;
  /** Has no address: only the folder is kept. */
  readonly guest?: boolean;
  /** Dies at this step of taking over, as by `kill -9`. */
  readonly dieAt?: "relieved" | "listening";
}

export interface ServerReport {
  /** A state of Relief, or `begun`. */
  readonly state: string;
  /** Those that are open, the one that is held first. */
  readonly urls: readonly string[];
  readonly port: number;
  readonly held: HeldAddress | undefined;
}

const options: ServerOptions = JSON.parse(process.argv[2] ?? "");
const { stay, keptMs, standby = false, dieAt } = options;
// A server of MCP stays for its standard input; this one reads it late.
const staying = setInterval(() => undefined, 1_000);
const table = processTable(process.platform, process.env);
const environment = { ...binaryEnvironment(process.env, hostFacts()), recordFolders: [options.records] };
const open = createCloudflaredOpener({
  environment,
  explicitPath: options.cloudflared,
  doh: false,
  skipReachabilityCheck: true,
  clock,
});
const { load, ...traits } = declareProvider({
  title: "",
  advice: "",
  canHaveSpare: true,
  load: () => Promise.resolve(open),
});
const provider: Provider = { ...traits, open: await load(undefined) };

const relief = options.resume
  ? await relieve({ stay, recordFolders: [options.records], clock, platform: process.platform, table })
  : { state: "begun" as const, address: undefined };
if (dieAt === "relieved") process.kill(process.pid, "SIGKILL");
if (options.guest === true && relief.state !== "busy" && relief.state !== "over") {
  startCaretaker({ stay, keptMs, env: process.env, clock, table });
  await report({ state: relief.state });
  process.stdin.resume().once("end", () => process.exit());
} else if (relief.state === "busy" || relief.state === "over") {
  await report({ state: relief.state });
  clearInterval(staying);
} else await serve(relief);

async function serve({ state, address }: Extract<typeof relief, { address: unknown }>): Promise<void> {
  const proof = { path: "/who", answer: String(process.pid) };
  const site = { path: "/none", proof, bind: "127.0.0.1", owner: "stay" };
  const lease = (port: number) =>
    new Listeners().lease({ ...site, visited: (_request, socket) => void socket.destroy() }, port);
  const leased = await lease(address?.port ?? 0).catch(async () => {
    await address?.letGo();
    return lease(0);
  });
  const { port } = leased;
  if (dieAt === "listening") process.kill(process.pid, "SIGKILL");
  const caretaker = startCaretaker({
    stay,
    keptMs,
    listening: () => leased.descriptor,
    env: process.env,
    clock,
    table,
  });
  const relay = { port, proof, stay: keptMs > 0 ? stay : undefined };
  const active = await provider.open({ ...relay, taken: address, signal: new AbortController().signal });
  const changed = async (): Promise<void> => {
    const held = pool.active?.handover?.();
    await caretaker?.hold(held);
    await report({ state, urls: pool.urls, port, held });
  };
  const pool = new TunnelPool({
    active,
    provider,
    relay,
    clock,
    standby,
    limit: 4,
    absent: () => [],
    random: () => 0.5,
    onEvent: ({ type }) => void (type === "addresses" && changed()),
  });
  await changed();
  if (standby) pool.keepStandby();
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      // As by an error that nobody has caught.
      if (line === "exit") process.exit(1);
      void Promise.all([caretaker?.end(), pool.stop(), leased.release()]).then(() => process.exit());
    })
    .on("close", () => {
      const url = pool.active?.url;
      const left = keptMs > 0 && url !== undefined ? pool.leave(url) : pool.stop();
      caretaker?.leave();
      void left.then(() => process.exit());
    });
}

async function report(told: Partial<ServerReport>): Promise<void> {
  process.stdout.write(`${JSON.stringify(told)}\n`);
  await new Promise((resolve) => setTimeout(resolve, 0));
}
