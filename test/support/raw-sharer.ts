import { vi } from "vitest";
import { concat, readU64be, u32be, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import { ChunkCipher } from "../../src/protocol/files/cipher.ts";
import * as codec from "../../src/protocol/room/frames.ts";
import type { View } from "../../src/protocol/room/frames.ts";
import { encodeOffer, type FileOffer } from "../../src/protocol/files/offer.ts";
import { SigningChain } from "../../src/protocol/room/order.ts";
import { FRAME, RecordLayer } from "../../src/protocol/record/record.ts";
import { decodeStreamFrame, encodeStreamFrame } from "../../src/protocol/link/stream-frames.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { OPCODE, RawMember, wsFrame } from "./raw-member.ts";
import { chunkOf, frameOf, wordOf, type FilePiece, type FileWord } from "./file-words.ts";
import { chunksOf, recordsBehind } from "./streaming.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

/** A member on a real socket that shares files and keeps to no rule in giving them out. */
export class RawSharer {
  readonly member: RawMember;
  readonly #clock: Clock;
  readonly #records: RecordLayer;
  readonly #signer: SigningChain;
  readonly #view: View;
  /** Messages so far, of which the first brought the signer to light. */
  #number = 1;
  #seen = 0;

  private constructor(member: RawMember, clock: Clock, signer: SigningChain) {
    this.member = member;
    this.#clock = clock;
    this.#signer = signer;
    this.#records = recordsBehind(() => member.put(FRAME.pong));
    const welcome = member.frames.find(({ type }) => type === FRAME.welcome);
    if (welcome === undefined) throw new Error("it is not in the room");
    this.#view = codec.decodeWelcome(welcome.payload).view;
  }

  static async enter(joinLink: string, clock: Clock, name = "mallory"): Promise<RawSharer> {
    const member = await RawMember.enter(joinLink, clock, name);
    return new RawSharer(
      member,
      clock,
      signerBehind(() => member.socket.tcp.write(member.saying("hello"))),
    );
  }

  /** Offers whatever it is told to, signed and in good order. */
  offers(offer: FileOffer): void {
    const body = encodeUtf8(encodeOffer(offer));
    const { fields } = this.#signer.sign({ body, view: this.#view, what: "file" });
    this.#number += 1;
    const payload = codec.encodeMemberFrame({ t: "say", ...fields }, body);
    const last = this.member.frames.findLast(({ type }) => type === FRAME.data);
    const received = last === undefined ? 0 : (readU64be(last.payload, 0) ?? 0);
    this.member.put(FRAME.data, concat(u64be(this.#number), u64be(received), payload));
  }

  /** The next request for a file. */
  async asked(): Promise<Extract<FileWord, { t: "open" }>> {
    for (;;) {
      const frame = this.#streams()[this.#seen];
      this.#seen += frame === undefined ? 0 : 1;
      if (frame?.t === "open") return frame;
      if (frame !== undefined) continue;
      const { length } = this.member.frames;
      await this.member.socket.until(() => this.member.frames.length > length);
      if (this.member.socket.isClosed) throw new Error("the host has hung up");
    }
  }

  /** Why the receiver has stopped, as often as it has. */
  get stops(): string[] {
    return this.#streams().flatMap((frame) => (frame.t === "stop" ? [frame.reason] : []));
  }

  tell(word: FileWord): void {
    this.member.put(FRAME.stream, encodeStreamFrame(frameOf(word)));
  }

  give(piece: FilePiece): void {
    const chunk = chunkOf(piece);
    const bulk = { header: u32be(chunk.stream), chunk: chunk.bytes };
    const messages = this.#records.sealBulk(bulk, this.#clock.now());
    this.member.socket.tcp.write(Buffer.concat(messages.map((message) => wsFrame(OPCODE.binary, message))));
  }

  #streams(): FileWord[] {
    return this.member.frames
      .filter(({ type }) => type === FRAME.stream)
      .map(({ payload }) => wordOf(decodeStreamFrame(payload)));
  }
}

/** The giving out of a rogue on one stream: the announced offer, and the real content. */
export interface Giving {
  readonly offer: FileOffer;
  readonly content: Bytes;
  readonly stream: number;
  readonly salt: Bytes;
}

/** A chunk at any place with any mark, sealed as the `index`-th of its stream. */
export function chunkAt(
  { offer, stream, salt }: Giving,
  content: Bytes,
  place: { index: number; offset: number; final: boolean },
): FilePiece {
  const cipher = new ChunkCipher(nodePrimitives, offer, salt);
  const { index, ...rest } = place;
  for (let before = 0; before < index; before += 1) cipher.seal(new Uint8Array(0), rest);
  return { stream, ...rest, sealed: cipher.seal(content, rest).sealed };
}

/** The chunks as an honest sender has them, of small size. */
export function honest({ offer, content, stream, salt }: Giving, piece = 1_000): FilePiece[] {
  return chunksOf(offer, content, { salt, stream, piece });
}

/** The signer that signs what `say` says. */
function signerBehind(say: () => void): SigningChain {
  const spy = vi.spyOn(SigningChain.prototype, "sign");
  try {
    say();
    const [signer] = spy.mock.contexts;
    if (!(signer instanceof SigningChain)) throw new Error("nothing was signed");
    return signer;
  } finally {
    spy.mockRestore();
  }
}
