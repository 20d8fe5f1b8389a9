import { readDescriptors, type Descriptor } from "../../control/descriptor.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { settled, wait } from "../../runtime/wait.ts";
import type { ExposureView } from "../../view/expose/exposures.ts";
import { WatchClient } from "../../watch/client.ts";
import { safeJson, safeLabel } from "../chat/terminal/safe-text.ts";
import type { Environment } from "../io/environment.ts";
import type { Output } from "../io/output.ts";
import { agentShell } from "../io/agent-shell.ts";

/** `tunnel-mcp expose stop` */
export interface ExposeStopCommand {
  readonly kind: "expose-stop";
  /** A name or an id; undefined for all. */
  readonly which: string | undefined;
  readonly json: boolean;
}

export interface StopOptions {
  readonly command: ExposeStopCommand;
  /** The private folders of this user. */
  readonly folders: readonly string[];
  readonly platform: string;
  readonly clock: Clock;
  readonly env: Environment;
  readonly version: string;
  readonly output: Output;
}

/** A server that is too busy to greet within this time is left out. */
const HELLO_MS = 2_000;

/** An exposure, with the server that can end it. */
interface Found {
  readonly exposure: ExposureView;
  readonly folder: string;
  readonly pid: number;
  readonly client: WatchClient;
}

/**
 * Ends exposures of any server of this user, on their word, and says which.
 * @returns 0 where all that were meant have ended, 1 where one has not
 * @throws {TunnelError} stop-in-agent, expose-unknown, expose-ambiguous (naming them)
 */
export async function exposeStop(options: StopOptions): Promise<0 | 1> {
  const { command, env, folders, platform, output } = options;
  const client = agentShell(env);
  if (client !== undefined)
    throw new TunnelError("stop-in-agent", { detail: `this looks like the shell of ${client}` });
  const servers = await readDescriptors(folders, platform, undefined, "watch");
  const greetings = await Promise.all(servers.map((server) => greet(server, options)));
  try {
    const all = greetings.flatMap(({ found }) => found);
    const meant = command.which === undefined ? all : [oneOf(all, command.which)];
    if (meant.length === 0 && !command.json) output.out("Nothing of yours is exposed now.\n");
    const done = await Promise.all(meant.map((one) => end(one, options)));
    return done.every((isDone) => isDone) ? 0 : 1;
  } finally {
    for (const { close } of greetings) close();
  }
}

/** @throws {TunnelError} expose-unknown, expose-ambiguous */
function oneOf(all: readonly Found[], which: string): Found {
  const named = all.filter(
    ({ exposure }) => exposure.exposureId === which || exposure.name === which.toLowerCase(),
  );
  const byId = named.filter(({ exposure }) => exposure.exposureId === which);
  const [only, ...more] = byId.length === 1 ? byId : named;
  if (only === undefined) {
    const others = all.map(({ exposure }) => exposure.name).join(", ");
    throw new TunnelError("expose-unknown", others === "" ? {} : { detail: `those that run are ${others}` });
  }
  if (more.length > 0)
    throw new TunnelError("expose-ambiguous", {
      detail: [only, ...more]
        .map(({ exposure, folder }) => `${exposure.exposureId} is ${exposure.name} in ${safeLabel(folder)}`)
        .join("; "),
    });
  return only;
}

async function end(
  { exposure, folder, pid, client }: Found,
  { command, output }: StopOptions,
): Promise<boolean> {
  const { exposureId, name, target, publicUrl, requests } = exposure;
  try {
    await client.ask({ do: "stop-exposure", exposure: exposureId });
  } catch (thrown) {
    const { code, message, nextForPerson } = asTunnelError(thrown);
    // It ended by itself meanwhile: that is what was wanted.
    if (code !== "expose-unknown") {
      output.err(`tunnel-mcp: ${name} was not ended: ${message}\n  ${nextForPerson}\n`);
      return false;
    }
  }
  if (command.json)
    output.out(
      `${safeJson({ event: "stopped", exposureId, name, target, publicUrl, requests, folder, pid })}\n`,
    );
  else {
    const where = publicUrl === undefined ? "" : ` Nobody reaches ${publicUrl} any more.`;
    const many = `${requests} ${requests === 1 ? "request" : "requests"}`;
    output.out(`${name} (${safeLabel(target)}) has ended, after ${many}.${where}\n`);
  }
  return true;
}

/** The exposures that a server names; nothing where it does not answer, or is of another version. */
async function greet(
  server: Descriptor,
  { clock, version, output }: StopOptions,
): Promise<{ readonly found: readonly Found[]; readonly close: () => void }> {
  let hello: (found: readonly Found[]) => void = () => undefined;
  const greeted = new Promise<readonly Found[]>((resolve) => (hello = resolve));
  const client = new WatchClient(server, version, {
    event: (event) => {
      if (event.t !== "hello") return;
      const { pid, folder } = event.server;
      if (event.server.version === version)
        return hello(event.exposures.map((exposure) => ({ exposure, folder, pid, client })));
      output.err(
        `tunnel-mcp: server ${pid} runs version ${safeLabel(event.server.version)}, and this is ${version}: nothing of it is ended from here\n`,
      );
      hello([]);
    },
    closed: () => hello([]),
  });
  await wait(clock, HELLO_MS, { until: settled(greeted) });
  const found = await Promise.race([greeted, Promise.resolve([])]);
  return { found, close: () => client.close() };
}
