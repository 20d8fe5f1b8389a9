import { connect } from "node:net";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { deadline } from "../../net/deadline.ts";
import type { DohResolver } from "../../net/doh.ts";
import { addressesOf } from "../../net/visit.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";

export interface ProveTcpOptions {
  /** `tcp://HOST:PORT` */
  readonly address: URL;
  /** Said by the passage to each connection, for as long as the address is not published. */
  readonly word: string;
  readonly resolver: DohResolver | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const GIVE_UP_MS = 15_000;
const POLL_MS = 500;
const VISIT_LIMIT_MS = 5_000;

/**
 * Connects to a public address until the passage itself has answered. A proxy of this network is not used: few take other ports than 443.
 * @returns ms until it had
 * @throws {TunnelError} expose-unproved, cancelled
 */
export async function proveTcp(options: ProveTcpOptions): Promise<number> {
  const { clock, signal } = options;
  const begun = clock.now();
  for (;;) {
    const fault = await faultOf(options);
    if (signal.aborted) throw new TunnelError("cancelled");
    if (fault === undefined) return clock.now() - begun;
    if (clock.now() - begun >= GIVE_UP_MS) throw new TunnelError("expose-unproved", { detail: fault });
    await wait(clock, POLL_MS, { signal });
  }
}

/** One visit: undefined when the word came, or else what stands in the way. */
async function faultOf({
  address,
  word,
  resolver,
  clock,
  signal,
}: ProveTcpOptions): Promise<string | undefined> {
  const limit = deadline(clock, VISIT_LIMIT_MS, signal);
  try {
    const host = address.hostname.replace(/^\[|\]$/g, "");
    const [first = host] = (await addressesOf(host, resolver, limit.signal)) ?? [];
    const said = await firstWords(first, Number(address.port), word.length, limit.signal);
    if (said === undefined) return "nothing answers there";
    return said === word ? undefined : "something else answers there";
  } finally {
    limit.clear();
  }
}

/** At most so many bytes of what is said by itself; undefined where no connection was made. */
function firstWords(
  host: string,
  port: number,
  bytes: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let isConnected = false;
    let said = "";
    const end = (): void => {
      signal.removeEventListener("abort", end);
      socket.destroy();
      resolve(isConnected ? said : undefined);
    };
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) return end();
    socket.setEncoding("latin1");
    socket.once("connect", () => (isConnected = true));
    socket.on("error", end).once("close", end);
    socket.on("data", (chunk: string) => {
      said = (said + chunk).slice(0, bytes);
      if (said.length === bytes) end();
    });
  });
}
