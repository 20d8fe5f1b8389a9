import { equalBytes, type Bytes } from "../base/bytes.ts";
import type { MemberId, RoomId } from "../base/ids.ts";
import type { Primitives } from "../base/primitives.ts";
import { encodeUtf8 } from "../base/utf8.ts";
import { wordsOf } from "../handshake/safety-code.ts";
import { certificateBytes, outcomeBytes, statementBytes } from "./signed-bytes.ts";
import type { Statement } from "./statement.ts";

/** How a proposal stands (Z7). */
export type SignOffState = "open" | "signed" | "refused" | "stale" | "replaced";

/** A statement that counts. */
export interface Counted {
  /** Its place in the room. */
  readonly seq: number;
  readonly statement: Statement;
}

/** Words of a digest to read aloud: 33 bits. */
const WORDS = 3;

/** A member whose person is asked: its name, and the key with which it signs its messages. */
export interface Asked {
  readonly id: MemberId;
  readonly name: string;
  readonly key: Bytes;
  /** An observer has one, and is not asked. */
  readonly role?: unknown;
}

export interface Proposed {
  readonly room: RoomId;
  readonly from: MemberId;
  /** The place of the proposal, and the chain there. */
  readonly view: { readonly seq: number; readonly chain: Bytes };
  /** Milliseconds since the epoch, by the host's clock. */
  readonly ts: number;
  readonly outcome: string;
  /** The members who were in the room then: the persons of all of them are asked, and none of an observer (Z7). */
  readonly members: readonly Asked[];
}

/** A proposal as it stands, for one who goes on from there. */
export interface SignOffStanding {
  readonly proposed: Proposed;
  readonly counted: readonly (readonly [MemberId, Counted])[];
  readonly messagesSince: number;
}

/** One proposal, and what the members' persons have said of it. */
export class SignOff {
  readonly proposed: Proposed;
  /** The digest that everybody signs (Z2). */
  readonly digest: Bytes;
  readonly #primitives: Primitives;
  readonly #counted = new Map<MemberId, Counted>();
  #signedAt: number | undefined;
  #messagesSince = 0;
  #isReplaced = false;

  constructor(primitives: Primitives, proposed: Proposed) {
    this.#primitives = primitives;
    this.proposed = proposed;
    const { room, view, outcome } = proposed;
    this.digest = primitives.sha256(outcomeBytes(room, view, primitives.sha256(encodeUtf8(outcome))));
  }

  /** To be read aloud: equal where all were shown the same. */
  get words(): string {
    return wordsOf(this.digest, WORDS);
  }

  get state(): SignOffState {
    if (this.#isReplaced) return "replaced";
    if (this.counted.some(([, { statement }]) => statement.verdict === "not-done")) return "refused";
    if (this.#messagesSince > 0) return "stale";
    return this.#signedAt === undefined ? "open" : "signed";
  }

  /** The place at which the last one had signed; it stays where the signatures have become stale. */
  get signedAt(): number | undefined {
    return this.#signedAt;
  }

  /** Messages behind it that are no statements (Z6). */
  get messagesSince(): number {
    return this.#messagesSince;
  }

  /** In the order of their places. */
  get counted(): readonly (readonly [MemberId, Counted])[] {
    return [...this.#counted];
  }

  of(member: MemberId): Counted | undefined {
    return this.#counted.get(member);
  }

  /** Members whose person has not signed that it is done. */
  get missing(): readonly Asked[] {
    return this.proposed.members.filter(({ id }) => this.of(id)?.statement.verdict !== "done");
  }

  said(): void {
    this.#messagesSince += 1;
  }

  replaced(): void {
    this.#isReplaced = true;
  }

  get standing(): SignOffStanding {
    const { proposed, counted, messagesSince } = this;
    return { proposed, counted, messagesSince };
  }

  /** As an earlier process had it. */
  standAt({ counted, messagesSince }: SignOffStanding): void {
    for (const [from, one] of counted) this.take(from, one);
    this.#messagesSince = messagesSince;
  }

  /** Whether a statement of this member holds (Z5), wherever it comes from. */
  isSound(from: MemberId, statement: Statement): boolean {
    const { seq, signs, key, certificate, signature } = statement;
    const { view, members } = this.proposed;
    const member = members.find(({ id }) => id === from);
    if (member === undefined || seq !== view.seq || !equalBytes(signs, this.digest)) return false;
    const others = this.counted.map(([, counted]) => counted.statement.key);
    if ([...members, ...others.map((other) => ({ key: other }))].some((one) => equalBytes(one.key, key)))
      return false;
    const certified = certificateBytes(this.digest, from, statement);
    const signed = statementBytes(this.digest, from, statement);
    return (
      this.#primitives.verifySignature(member.key, certified, certificate) &&
      this.#primitives.verifySignature(key, signed, signature)
    );
  }

  /** Takes a sound statement; the first one of each member counts. */
  take(from: MemberId, counted: Counted): void {
    this.#counted.set(from, counted);
    if (this.missing.length === 0) this.#signedAt = counted.seq;
  }
}

/** The fate of a statement: `late` is about another proposal than the one that stands, or not the first of its member. */
export type Heard = "counts" | "late" | "unsound";

/** The proposals of one room, as one participant was told of them: the last one stands. */
export class SignOffs {
  readonly #primitives: Primitives;
  #current: SignOff | undefined;

  constructor(primitives: Primitives) {
    this.#primitives = primitives;
  }

  get current(): SignOff | undefined {
    return this.#current;
  }

  /** @param proposed with all who were in the room then */
  proposed(proposed: Proposed): SignOff {
    this.#current?.replaced();
    const members = proposed.members.filter(({ role }) => role === undefined);
    this.#current = new SignOff(this.#primitives, { ...proposed, members });
    return this.#current;
  }

  restore(standing: SignOffStanding): void {
    this.proposed(standing.proposed).standAt(standing);
  }

  /** @param seq its place in the room */
  stated(seq: number, from: MemberId, statement: Statement): Heard {
    const current = this.#current;
    if (current === undefined || statement.seq !== current.proposed.view.seq) return "late";
    if (current.of(from) !== undefined) return "late";
    if (!current.isSound(from, statement)) return "unsound";
    current.take(from, { seq, statement });
    return "counts";
  }

  /** A message that is neither, whatever it says and whoever may read it (Z6). */
  said(): void {
    this.#current?.said();
  }
}
