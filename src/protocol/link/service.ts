import type { Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import { chunkPrice, type Chunk, type StreamId } from "../record/chunk.ts";
import type { StreamEvent, StreamOpen, StreamRequest, StreamReset, StreamWord } from "./stream-frames.ts";

/** The part of a machine that streams go through, whichever role it has. */
export interface StreamMachine {
  /** `undefined` while the other end cannot be asked. */
  openStream(request: StreamRequest): StreamId | undefined;
  stream(frame: StreamWord): void;
  /** Bytes that the other end lets come now. */
  sendable(stream: StreamId): number;
  /** Whether the other end had let it come. */
  sendChunk(chunk: Chunk): boolean;
}

/** Something that happened at this end of a stream, in the order in which the other end did it. */
export type StreamNews =
  | { readonly t: "accept"; readonly response: Bytes }
  /** More may be sent. */
  | { readonly t: "credit" }
  /** `price` is what it took of the credit. */
  | { readonly t: "chunk"; readonly bytes: Bytes; readonly isSealed: boolean; readonly price: number }
  /** The other end sends nothing more. */
  | { readonly t: "end" }
  /** It is over: a code of the stream layer, or one of the service. */
  | { readonly t: "reset"; readonly code: string };

export type StreamListener = (news: StreamNews) => void;

/**
 * A service on streams (PROTOCOL §6.2): it answers the members that open a stream for it, and speaks its own bytes. It is one file, and one
 * line that adds it to {@link Services}.
 */
export interface StreamService {
  /** As S1 has it. */
  readonly name: string;
  /** Somebody asks for a stream; gives what is to hear of it from then on. The request is whatever bytes a peer made up. */
  opened(end: StreamEnd, request: Bytes): StreamListener;
}

/** One end of a stream, as its service uses it. Once it is over, every call does nothing. */
export class StreamEnd {
  /** The member at the other end. */
  readonly who: MemberId;
  readonly #id: StreamId;
  readonly #machine: StreamMachine;
  readonly #onOver: () => void;
  #isSending = true;
  #isReceiving = true;
  #isOver = false;

  constructor(options: { id: StreamId; who: MemberId; machine: StreamMachine; onOver: () => void }) {
    this.who = options.who;
    this.#id = options.id;
    this.#machine = options.machine;
    this.#onOver = options.onOver;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Serves what was asked for; `credit` bytes of bulk messages may come. */
  accept(response: Bytes, credit = 0): void {
    this.#tell({ t: "accept", stream: this.#id, credit, response });
  }

  /** Lets so many more bytes of bulk messages come. */
  grant(bytes: number): void {
    this.#tell({ t: "credit", stream: this.#id, bytes });
  }

  /** Bytes of whole messages that the other end lets come now. */
  get credit(): number {
    return this.#isOver || !this.#isSending ? 0 : this.#machine.sendable(this.#id);
  }

  /** Sends bytes, which each hop seals; `false` where the other end has not let them come. */
  send(bytes: Bytes): boolean {
    return this.#send({ stream: this.#id, bytes, isSealed: false });
  }

  /** Sends bytes that the service has sealed for the other end, as long as makes a whole message (R7). */
  sendSealed(chunk: Pick<Chunk, "bytes" | "message">): boolean {
    return this.#send({ stream: this.#id, isSealed: true, ...chunk });
  }

  /** Sends nothing more; the other end may go on. */
  end(): void {
    if (!this.#isSending) return;
    this.#isSending = false;
    this.#tell({ t: "end", stream: this.#id });
    if (!this.#isReceiving) this.#over();
  }

  /** Ends it both ways. `code` as S1 has it: one of the stream layer, or of the service. */
  reset(code: string): void {
    this.#tell({ t: "reset", stream: this.#id, code });
    this.#over();
  }

  /** The other end has sent its last, or has ended it. For {@link Services} alone. */
  heard(news: "end" | "reset"): void {
    this.#isReceiving = false;
    if (news === "reset" || !this.#isSending) this.#over();
  }

  #send(chunk: Chunk): boolean {
    return !this.#isOver && this.#isSending && this.#machine.sendChunk(chunk);
  }

  #tell(frame: StreamWord): void {
    if (!this.#isOver) this.#machine.stream(frame);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
  }
}

/** The services of one side, and the streams that they have open. */
export class Services {
  readonly #machine: StreamMachine;
  readonly #services = new Map<string, StreamService>();
  readonly #open = new Map<StreamId, { readonly end: StreamEnd; readonly listen: StreamListener }>();

  constructor(machine: StreamMachine) {
    this.#machine = machine;
  }

  add(service: StreamService): void {
    this.#services.set(service.name, service);
  }

  /** Asks for a stream; `undefined` while the other end cannot be asked. */
  open(request: StreamRequest, listen: StreamListener): StreamEnd | undefined {
    const id = this.#machine.openStream(request);
    return id === undefined ? undefined : this.#begin(id, request.who, () => listen);
  }

  /** Something came on a stream. */
  happened(event: StreamEvent): void {
    if (event.t === "open") return this.#asked(event);
    const found = this.#open.get(event.stream);
    if (found === undefined) return;
    if (event.t === "end" || event.t === "reset") found.end.heard(event.t);
    found.listen(newsOf(event));
  }

  #asked({ stream, service: name, who, request }: StreamOpen): void {
    const service = this.#services.get(name);
    const code: StreamReset = "no-service";
    if (service === undefined) return this.#machine.stream({ t: "reset", stream, code });
    this.#begin(stream, who, (end) => service.opened(end, request));
  }

  #begin(id: StreamId, who: MemberId, listener: (end: StreamEnd) => StreamListener): StreamEnd {
    const end = new StreamEnd({ id, who, machine: this.#machine, onOver: () => this.#open.delete(id) });
    const listen = listener(end);
    if (!end.isOver) this.#open.set(id, { end, listen });
    return end;
  }
}

function newsOf(event: Exclude<StreamEvent, StreamOpen>): StreamNews {
  switch (event.t) {
    case "accept":
      return { t: "accept", response: event.response };
    case "credit":
      return { t: "credit" };
    case "chunk":
      return { t: "chunk", bytes: event.bytes, isSealed: event.isSealed, price: chunkPrice(event) };
    case "end":
      return { t: "end" };
    case "reset":
      return { t: "reset", code: event.code };
  }
}
