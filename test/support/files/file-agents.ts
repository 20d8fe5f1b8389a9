import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Agent, portOf, type Era, type Message, type Payload } from "../agent.ts";
import { hearUntil, linkOf } from "../hearing.ts";
import { until } from "../processes.ts";
import { Proxy, type Crossing, type Direction } from "../proxy.ts";

/** Agents that share files from their working directories and save into them. */

/** Nobody's home, so that the working directory of a server, which is in a sandbox, is not around the home it has. */
const NO_HOME = join(tmpdir(), "tunnel-no-home");

export function worker(name: string, env: Record<string, string> = {}, era: Era = "legacy"): Promise<Agent> {
  return Agent.start({ HOME: NO_HOME, USERPROFILE: NO_HOME, TUNNEL_NAME: name, ...env }, era);
}

/** A host and its guests, who are called as they were started. */
export async function meet(host: Agent, ...guests: Agent[]): Promise<Payload[]> {
  const opened = await host.call("tunnel_open", { goal: "exchange files", invites: guests.length });
  const joined: Payload[] = [];
  for (const [index, guest] of guests.entries()) {
    const joinLink = guests.length === 1 ? opened.joinLink : linkOf(opened, index);
    joined.push(await guest.call("tunnel_join", { joinLink }));
  }
  return [opened, ...joined];
}

/** The same for two, on a path that the test has in its hands; on another connection they meet without it. */
export async function meetThrough(
  wire: Proxy,
  host: Agent,
  guest: Agent,
): Promise<{ crossing: Crossing; joinLink: string }> {
  const { joinLink = "" } = await host.call("tunnel_open", { goal: "exchange files" });
  wire.target = portOf(joinLink);
  await guest.call("tunnel_join", { joinLink: joinLink.replace(`:${wire.target}/`, `:${wire.port}/`) });
  const { newest } = wire;
  if (newest === undefined) throw new Error("the guest did not come over the proxy");
  return { crossing: newest, joinLink };
}

/** A file in the working directory of an agent; its path. */
export function put(agent: Agent, name: string, content: string | Uint8Array, mode = 0o644): string {
  const file = join(agent.box.root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, { mode });
  return file;
}

export function read(agent: Agent, name: string): Buffer {
  return readFileSync(join(agent.box.root, name));
}

export function modeOf(agent: Agent, name: string): number {
  return statSync(join(agent.box.root, name)).mode & 0o777;
}

/** Everything in the working directory of an agent, with what is in its folders. */
export function listing(agent: Agent): string[] {
  const sandboxes = new Set(["tmp", "cache", "home"]);
  return readdirSync(agent.box.root, { recursive: true, encoding: "utf8" })
    .filter((name) => !sandboxes.has(name.split(/[\\/]/)[0] ?? ""))
    .toSorted();
}

export const parts = (agent: Agent): string[] =>
  listing(agent).filter((name) => name.includes("tunnel-part"));

/** Shares a file and waits until the receivers have been told of it; its id. */
export async function offer(
  from: Agent,
  args: Record<string, unknown>,
  ...receivers: Agent[]
): Promise<{ fileId: string; shared: Payload; heard: Message[] }> {
  const shared = await from.call("tunnel_share", args);
  const { fileId = "" } = shared;
  const heard: Message[] = [];
  for (const receiver of receivers) {
    const messages = await hearUntil(receiver, (message) => message.fileId === fileId);
    heard.push(...messages.filter((message) => message.fileId === fileId));
  }
  return { fileId, shared, heard };
}

/** Lets so many more bytes through in one direction, and then nothing until {@link release}. */
export function holdAfter(crossing: Crossing, direction: Direction, bytes: number): void {
  const lane = crossing[direction];
  lane.stopAfter(lane.passed + bytes, () => lane.stall());
}

export function release(crossing: Crossing): void {
  for (const lane of [crossing.toHost, crossing.toGuest])
    lane.stopAfter(Number.POSITIVE_INFINITY, () => undefined);
  crossing.flow();
}

/** What a status says of the one file that is on its way. */
export async function receivingOf(agent: Agent): Promise<{ status: string; received: number }> {
  const [one] = (await agent.call("tunnel_status")).files?.receiving ?? [];
  return { status: one?.status ?? "none", received: one?.received ?? 0 };
}

/** A transfer that stands still in the middle: some of it has come. */
export async function underWay(agent: Agent, atLeast = 1): Promise<void> {
  await until("some of the file has come", async () => (await receivingOf(agent)).received >= atLeast);
}

/** What a tool is refused with. */
export const code = async (agent: Agent, tool: string, args: Record<string, unknown>): Promise<string> =>
  (await agent.refused(tool, args)).code;
