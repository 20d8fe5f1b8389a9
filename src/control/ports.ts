import type { Clock } from "../runtime/clock.ts";
import { wait } from "../runtime/wait.ts";
import { portsSchema } from "./actions.ts";
import { ask } from "./ask.ts";
import { readDescriptors, type Descriptor } from "./descriptor.ts";

interface PortSearch {
  /** The private folders of this user. */
  readonly folders: readonly string[];
  readonly platform: string;
  /** This process: it is not asked. */
  readonly pid: number;
  readonly clock: Clock;
}

/** A server that is too busy to answer within this time is not waited for: somebody waits for the error. */
const ANSWER_MS = 1_000;

/** The other server of this user that listens on a port, in words; undefined where none says so in time. */
export async function portHolder(
  port: number,
  { folders, platform, pid, clock }: PortSearch,
): Promise<string | undefined> {
  const servers = await readDescriptors(folders, platform);
  const others = servers.filter((server) => server.pid !== pid);
  const asked = others.map(async (server) => ((await listensOn(server, port, clock)) ? server : undefined));
  const late = wait(clock, ANSWER_MS).then(() => undefined);
  const holders = await Promise.all(asked.map((answer) => Promise.race([answer, late])));
  const holder = holders.find((server) => server !== undefined);
  return holder && `process ${holder.pid}, started in ${holder.folder}`;
}

/** A server of an older version, or one that has just ended, does not say. */
async function listensOn(server: Descriptor, port: number, clock: Clock): Promise<boolean> {
  try {
    const { ports } = await ask(server, { action: "ports", input: {}, result: portsSchema }, clock);
    return ports.includes(port);
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}
