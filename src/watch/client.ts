import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { parseJson } from "../control/messages.ts";
import { ERRORS, TunnelError, type ErrorCode } from "../errors/tunnel-error.ts";
import { eventSchema, type Command, type FaceKind, type Told, type WatchEvent } from "./protocol.ts";

type Unnumbered<One> = One extends unknown ? Omit<One, "id"> : never;
/** A command before it has its number. */
export type NewCommand = Unnumbered<Command>;

/** Where a server listens for faces of its user. */
interface Place {
  readonly endpoint: string;
  readonly token: string;
}

type Answer = Extract<WatchEvent, { t: "answer" }>;

/** A face's end of the line to one server. */
export class WatchClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (answer: Answer | undefined) => void>();
  #lastId = 0;

  /** @param hear `event` gets every event but answers, in order; `closed` is called once, when the server has gone or was never there */
  constructor(
    { endpoint, token }: Place,
    version: string,
    hear: { readonly event: (event: WatchEvent) => void; readonly closed: () => void },
    face: FaceKind = "watch",
  ) {
    this.#socket = connect(endpoint);
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.write(`${JSON.stringify({ token, version, face })}\n`);
    const lines = createInterface({ input: this.#socket, crlfDelay: Infinity });
    lines.on("error", () => this.#socket.destroy());
    lines.on("line", (line) => {
      if (this.#socket.destroyed) return;
      const event = eventSchema.safeParse(parseJson(line));
      if (!event.success) return void this.#socket.destroy();
      if (event.data.t !== "answer") return hear.event(event.data);
      this.#answered(event.data.id, event.data);
    });
    this.#socket.once("close", () => {
      for (const id of this.#waiting.keys()) this.#answered(id, undefined);
      hear.closed();
    });
  }

  /** @returns the answer to a question @throws {TunnelError} as the server says; control-failed where it has gone */
  async ask(command: NewCommand): Promise<Told | undefined> {
    if (this.#socket.destroyed) throw new TunnelError("control-failed");
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = await new Promise<Answer | undefined>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.write(`${JSON.stringify({ ...command, id })}\n`);
    });
    if (answer?.ok === true) return answer.told;
    if (answer === undefined || !isErrorCode(answer.code)) throw new TunnelError("control-failed");
    const { code, detail } = answer;
    throw new TunnelError(code, detail === undefined ? {} : { detail });
  }

  close(): void {
    this.#socket.destroy();
  }

  #answered(id: number, answer: Answer | undefined): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
