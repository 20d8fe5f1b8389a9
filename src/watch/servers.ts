import { readDescriptors, type Descriptor } from "../control/descriptor.ts";
import type { Clock } from "../runtime/clock.ts";
import { every } from "../runtime/wait.ts";
import { WatchClient, type NewCommand } from "./client.ts";
import type { KeptLook, KeptTunnel } from "./protocol.ts";
import type { FaceKind, Told, WatchEvent } from "./protocol.ts";

/** One server of this user, as it is known to a face. */
export interface Server {
  readonly name: string;
  /** @throws {TunnelError} as the server says */
  readonly ask: (command: NewCommand) => Promise<Told | undefined>;
}

/** Whatever hears the servers. */
export interface Hearing {
  readonly hear: (server: Server, event: WatchEvent) => void;
  readonly gone: (server: Server) => void;
  /** A server of another version, whose words may mean something else: it is left alone. */
  readonly isOther: (server: Server, version: string) => void;
  /** All tunnels that can be taken up now, whenever that changes. It is told of them before it is told that their server has gone. */
  readonly kept: (tunnels: readonly KeptTunnel[]) => void;
}

export interface ServersOptions {
  readonly folders: readonly string[];
  readonly platform: string;
  readonly clock: Clock;
  readonly version: string;
  readonly face: FaceKind;
  /** Looks for tunnels whose program has ended; none where left out. */
  readonly kept?: KeptLook | undefined;
}

/** Servers come and go while somebody watches. */
const LOOK_MS = 1_000;

/** The servers of this user that are being watched, as they come and go. */
export class Servers {
  readonly #options: ServersOptions;
  readonly #hear: Hearing;
  readonly #clients = new Map<string, WatchClient>();
  /** Endpoints of servers of another version. */
  readonly #others = new Set<string>();
  readonly #greetings: Promise<void>[] = [];
  #stopLooking = (): void => undefined;
  #isOver = false;
  /** The tunnels that each server has. */
  readonly #tunnels = new Map<string, Set<string>>();
  /** Which tunnels were told to be kept, and until when. */
  #kept = "";

  constructor(options: ServersOptions, hear: Hearing) {
    this.#options = options;
    this.#hear = hear;
  }

  /** Looks for them now, and from then on again and again. */
  async start(): Promise<void> {
    await this.#look();
    if (!this.#isOver) this.#stopLooking = every(this.#options.clock, LOOK_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { folders, platform } = this.#options;
    const found = await readDescriptors(folders, platform, undefined, "watch");
    if (!this.#isOver) for (const one of found) this.#join(one);
    await this.#lookForKept();
  }

  async #lookForKept(): Promise<void> {
    const going = new Set([...this.#tunnels.values()].flatMap((ids) => [...ids]));
    const kept = (await this.#options.kept?.(going)) ?? [];
    const key = kept.map(({ tunnelId, keptUntil }) => `${tunnelId} ${keptUntil}`).join();
    if (this.#isOver || key === this.#kept) return;
    this.#kept = key;
    this.#hear.kept(kept);
  }

  #note(endpoint: string, event: WatchEvent): void {
    const told = event.t === "hello" ? event.tunnels : event.t === "tunnel" ? [event.tunnel] : [];
    const ids = this.#tunnels.get(endpoint) ?? new Set();
    this.#tunnels.set(endpoint, ids);
    for (const { tunnelId, ended } of told) {
      if (ended === undefined) ids.add(tunnelId);
      else ids.delete(tunnelId);
    }
  }

  async #gone(server: Server): Promise<void> {
    if (this.#options.kept !== undefined) await this.#lookForKept();
    this.#hear.gone(server);
  }

  /** Resolves when each server that was found so far has told how it stands, or has gone. */
  async ready(): Promise<void> {
    await Promise.all(this.#greetings);
  }

  close(): void {
    this.#isOver = true;
    this.#stopLooking();
    for (const client of this.#clients.values()) client.close();
  }

  #join(descriptor: Descriptor): void {
    const { endpoint, pid } = descriptor;
    if (this.#clients.has(endpoint) || this.#others.has(endpoint)) return;
    const server: Server = { name: String(pid), ask: (command) => client.ask(command) };
    const { version, face } = this.#options;
    let greeted = (): void => undefined;
    this.#greetings.push(new Promise<void>((resolve) => (greeted = resolve)));
    const event = (told: WatchEvent): void => {
      greeted();
      this.#note(endpoint, told);
      if (told.t !== "hello" || told.server.version === version) return this.#hear.hear(server, told);
      this.#others.add(endpoint);
      client.close();
      this.#hear.isOther(server, told.server.version);
    };
    const closed = (): void => {
      greeted();
      this.#clients.delete(endpoint);
      this.#tunnels.delete(endpoint);
      if (!this.#others.has(endpoint)) void this.#gone(server);
    };
    const client = new WatchClient(descriptor, version, { event, closed }, face);
    this.#clients.set(endpoint, client);
  }
}
