import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { parseJson } from "../control/messages.ts";
import { asTunnelError, TunnelError } from "../errors/tunnel-error.ts";
import { Emitter } from "../runtime/emitter.ts";
import { Feed } from "./feed.ts";
import { helloOf, type Watched } from "./hello.ts";
import { obey } from "./obey.ts";
import { commandSchema, greetingSchema, type FaceKind, type WatchEvent } from "./protocol.ts";

export type FacesOptions = Watched;

/** Faces at one time: a person has few terminals. */
export const MAX_FACES = 8;
/** Time from connecting to the greeting. */
const GREETING_MS = 5_000;
/** Waits for a face that reads slowly; beyond it the face is dropped, and gets a new snapshot when it comes again. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024;
/** A command with the longest text, in escapes of JSON. */
const MAX_LINE_BYTES = 2 * 1024 * 1024;

/** The faces of this server's person, and what they do. Each that comes or goes is told to all others and to the audit (H8). */
export class Faces {
  readonly #options: FacesOptions;
  readonly #changes = new Emitter<Extract<WatchEvent, { t: "faces" }>>();
  readonly #open = new Set<Face>();

  constructor(options: FacesOptions) {
    this.#options = options;
  }

  /** A connection whose first line must have the token. Never rejects. */
  accept(socket: Socket, isToken: (token: string) => boolean): void {
    const late = this.#options.clock.after(GREETING_MS, () => socket.destroy());
    let face: Face | undefined;
    boundLines(socket);
    const lines = createInterface({ input: socket, crlfDelay: Infinity });
    lines.on("error", () => socket.destroy());
    lines.on("line", (line) => {
      if (face !== undefined) return void face.obey(line);
      late();
      const greeting = greetingSchema.safeParse(parseJson(line));
      if (!greeting.success || !isToken(greeting.data.token) || this.#open.size >= MAX_FACES)
        return void socket.destroy();
      face = this.#begin(socket, greeting.data.face ?? "watch");
    });
    socket.once("close", () => {
      late();
      lines.close();
      if (face !== undefined) this.#end(face);
    });
  }

  /** Whether somebody looks through a face of this kind. */
  has(kind: FaceKind): boolean {
    return [...this.#open].some((face) => face.kind === kind);
  }

  #begin(socket: Socket, kind: FaceKind): Face {
    const face = new Face(socket, kind, this.#options);
    this.#open.add(face);
    // The others are told, and not the one that comes.
    this.#changed(kind, "opened");
    face.stopHearing = this.#changes.subscribe((event) => face.emit(event));
    return face;
  }

  #end(face: Face): void {
    face.stop();
    this.#open.delete(face);
    this.#changed(face.kind, "closed");
  }

  #changed(face: FaceKind, change: "opened" | "closed"): void {
    const { sessions, clock } = this.#options;
    for (const { end, oversight } of sessions.all)
      if (end === undefined) oversight.audit.add({ at: clock.now(), kind: "face", face, change });
    this.#changes.emit({ t: "faces", face, count: this.#open.size, change });
  }
}

/** One face. */
class Face {
  readonly kind: FaceKind;
  readonly #socket: Socket;
  readonly #options: FacesOptions;
  readonly #feed: Feed;
  stopHearing: () => void = () => undefined;

  constructor(socket: Socket, kind: FaceKind, options: FacesOptions) {
    this.kind = kind;
    this.#socket = socket;
    this.#options = options;
    this.emit(helloOf(options));
    this.#feed = new Feed({ ...options, emit: (event) => this.emit(event) });
  }

  emit(event: WatchEvent): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(`${JSON.stringify(event)}\n`);
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#socket.destroy();
  }

  stop(): void {
    this.stopHearing();
    this.#feed.stop();
  }

  /** Never rejects: whatever goes wrong is the answer. */
  async obey(line: string): Promise<void> {
    const value = parseJson(line);
    const command = commandSchema.safeParse(value);
    const id = command.success ? command.data.id : 0;
    try {
      if (!command.success) throw new TunnelError("input-invalid");
      const told = await obey(command.data, this.#options, { path: this.kind });
      this.emit({ t: "answer", id, ok: true, told });
    } catch (thrown) {
      const { code, detail } = asTunnelError(thrown);
      this.emit({ t: "answer", id, ok: false, code, detail });
    }
  }
}

/** A line without an end must not fill the memory. */
function boundLines(socket: Socket): void {
  let since = 0;
  socket.on("data", (chunk: Buffer) => {
    const end = chunk.lastIndexOf(10);
    since = end < 0 ? since + chunk.length : chunk.length - end - 1;
    if (since > MAX_LINE_BYTES) socket.destroy();
  });
}
