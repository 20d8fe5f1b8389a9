import { randomBytes, timingSafeEqual } from "node:crypto";
import { access, chmod, rm, rmdir } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { asTunnelError, TunnelError } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";
import { ensurePrivateDirectory } from "../runtime/private-directory.ts";
import type { Subscribe } from "../runtime/emitter.ts";
import { every } from "../runtime/wait.ts";
import { removeStale, resolved, writeDescriptor, type Identity } from "./descriptor.ts";
import { endpointIn, type EndpointKind } from "./paths.ts";

interface EndpointOptions {
  /** Wakes with the first thing that others may ask about: a tunnel, or an exposure. */
  readonly begins: Subscribe;
  readonly clock: Clock;
  /** Has the whole conversation on one connection. Must not throw. */
  readonly accept: (socket: Socket, isToken: (token: string) => boolean) => void;
  readonly kind: EndpointKind;
  readonly identity: Identity;
  /** Folders for its descriptor, the preferred one first. */
  readonly folders: readonly string[];
  readonly platform: string;
  readonly pid: number;
}

/** `unopened` until there is a tunnel or an exposure; `unavailable` where no folder could be used. */
export type EndpointState = "unopened" | "open" | "unavailable" | "closed";

/** No command of this program needs more. */
export const MAX_CONNECTIONS = 32;
const TOKEN_BYTES = 32;
/** So often it is looked whether its files are still there: cleaners of temporary folders and people remove them. */
export const LOOK_MS = 10_000;
/** Time in which a watching program finds a new server: it looks every 2 s (src/cli/wake/watch.ts). */
const FOUND_WITHIN_MS = 5_000;
/** Another server may remove the empty folder at the very moment at which this one uses it. */
const TRIES = 3;

interface Listening {
  readonly server: Server;
  readonly folder: string;
  readonly endpoint: string;
  readonly descriptor: string;
}

/**
 * A local endpoint of a running server, for other commands of the same user, or for the faces of a person. It exists from the first tunnel or exposure on, and a
 * clean end leaves nothing of it. Where its files were removed, or could not be made, they are made anew. A request must carry the token of the descriptor, which only this user can read.
 * Tunnels work without it, so failing to open is no error.
 */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #token = randomBytes(TOKEN_BYTES).toString("base64url");
  readonly #sockets = new Set<Socket>();
  readonly #stopWatching: () => void;
  #stopLooking = (): void => undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #listening: Listening | undefined;
  #state: EndpointState = "unopened";
  #openedAt: number | undefined;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#stopWatching = options.begins(() => {
      this.#stopWatching();
      this.#opening = this.#open();
      this.#stopLooking = every(options.clock, LOOK_MS, () => void this.look());
    });
  }

  get state(): EndpointState {
    return this.#state;
  }

  /** Why other commands do not find this server; undefined where they do. */
  get problem(): TunnelError | undefined {
    return this.#state === "unavailable" ? new TunnelError("private-folder-unusable") : undefined;
  }

  /** Opens it anew where its files are not there any more, or could not be made so far. Never rejects. */
  async look(): Promise<void> {
    await this.#opening;
    if (this.#state !== "open" && this.#state !== "unavailable") return;
    if (this.#listening !== undefined && (await this.#isWhole(this.#listening))) return;
    this.#opening = this.#openAnew();
    await this.#opening;
  }

  /** Other commands have had the time to find it. */
  get isFindable(): boolean {
    return this.#openedAt !== undefined && this.#options.clock.now() - this.#openedAt > FOUND_WITHIN_MS;
  }

  /** Connections at this moment. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Resolves when nothing is left of it, for each caller. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#stopWatching();
    this.#stopLooking();
    this.#state = "closed";
    await this.#opening;
    const listening = this.#listening;
    this.#listening = undefined;
    if (listening !== undefined) await this.#remove(listening);
  }

  async #open(): Promise<void> {
    const listening = await this.#tryFolders();
    this.#listening = listening;
    // Closed meanwhile: `close` waits for this and removes it.
    if (this.#state === "closed") return;
    this.#state = listening === undefined ? "unavailable" : "open";
    this.#openedAt = this.#options.clock.now();
  }

  async #openAnew(): Promise<void> {
    // Commands that are connected stay so: their sockets outlive the file by which they came.
    this.#listening?.server.close();
    this.#listening = undefined;
    if (this.#state !== "closed") await this.#open();
  }

  /** Whether both files are there; a named pipe of Windows cannot be removed. */
  async #isWhole({ descriptor, endpoint }: Listening): Promise<boolean> {
    const files = this.#options.platform === "win32" ? [descriptor] : [descriptor, endpoint];
    const found = await Promise.allSettled(files.map((file) => access(file)));
    return found.every(({ status }) => status === "fulfilled");
  }

  async #tryFolders(): Promise<Listening | undefined> {
    for (const folder of this.#options.folders) {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const listening = await this.#openIn(folder).catch((error: unknown) => asTunnelError(error));
        if (!(listening instanceof TunnelError)) return listening;
      }
    }
    return undefined;
  }

  async #openIn(folder: string): Promise<Listening> {
    const { identity, platform, pid, kind } = this.#options;
    const endpoint = endpointIn(folder, { pid, unique: randomBytes(8).toString("hex"), platform });
    if (endpoint === undefined) throw new TunnelError("control-failed");
    await ensurePrivateDirectory(folder, platform);
    await removeStale(folder);
    const server = createServer((socket) => this.#accept(socket));
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(endpoint, resolve);
    });
    // A later failure concerns one connection, and never the tunnels.
    server.on("error", () => undefined);
    server.unref();
    try {
      if (platform !== "win32") await chmod(endpoint, 0o600);
      const descriptor = { pid, endpoint, token: this.#token, ...(await resolved(identity)) };
      return {
        server,
        folder,
        endpoint,
        descriptor: await writeDescriptor(folder, descriptor, { platform, kind }),
      };
    } catch (error) {
      server.close();
      throw error;
    }
  }

  async #remove({ server, folder, descriptor }: Listening): Promise<void> {
    await rm(descriptor, { force: true });
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    // Not empty: another server of this user has its descriptor in it.
    await rmdir(folder).catch(() => undefined);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.unref();
    socket.on("error", () => socket.destroy()).once("close", () => void this.#sockets.delete(socket));
    this.#options.accept(socket, (token) => this.#isToken(token));
  }

  #isToken(token: string): boolean {
    const given = Buffer.from(token);
    const own = Buffer.from(this.#token);
    return given.length === own.length && timingSafeEqual(given, own);
  }
}
