import * as z from "zod";
import { must } from "../../src/errors/must.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { equalBytes, toHex, type Bytes } from "../../src/protocol/base/bytes.ts";
import { memberIdFrom, parseRoomId, roomIdFrom, type MemberId } from "../../src/protocol/base/ids.ts";
import type { SigningKeyPair } from "../../src/protocol/base/primitives.ts";
import type { MemberRecord } from "../../src/protocol/room/frames.ts";
import { memberIdOf, NO_HASH } from "../../src/protocol/room/order.ts";
import { certificateBytes, outcomeBytes, statementBytes } from "../../src/protocol/sign-off/signed-bytes.ts";
import { SignOffs } from "../../src/protocol/sign-off/sign-offs.ts";
import {
  decodeProposal,
  decodeStatement,
  encodeProposal,
  encodeStatement,
  type Statement,
} from "../../src/protocol/sign-off/statement.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { seededPrimitives } from "./random.ts";

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/);
const unhex = (text: string): Bytes => Uint8Array.from(Buffer.from(text, "hex"));

/** A proposal and the statements about it, as one member is told of them (Z1 to Z5, Z7). */
export const signOffFields = {
  room: z.string(),
  seq: z.int(),
  chain: hex,
  members: z.array(z.strictObject({ id: z.string(), key: hex })),
  proposal: z.string(),
  statements: z.array(z.strictObject({ from: z.string(), text: z.string() })),
  digest: hex,
  words: z.string(),
  state: z.string(),
};

type Case = { [Field in keyof typeof signOffFields]: z.infer<(typeof signOffFields)[Field]> };

const member = ({ id, key }: Case["members"][number]): MemberRecord => ({
  id: id as MemberId,
  key: unhex(key),
  name: id,
  box: NO_HASH,
  hash: NO_HASH,
  proof: new Uint8Array(64),
});

/** @throws {TunnelError} offer-unreadable, sign-off-unsound */
export function runSignOff(one: Case): void {
  const outcome = decodeProposal(one.proposal);
  if (outcome === undefined) throw new TunnelError("offer-unreadable");
  const signOffs = new SignOffs(nodePrimitives);
  const members = one.members.map(member);
  const [first] = members;
  const signOff = signOffs.proposed({
    room: must(parseRoomId(one.room), "a room"),
    from: must(first, "a member").id,
    view: { seq: one.seq, chain: unhex(one.chain) },
    ts: 0,
    outcome,
    members,
  });
  for (const [at, { from, text }] of one.statements.entries()) {
    const statement = decodeStatement(text);
    if (statement === undefined) throw new TunnelError("offer-unreadable");
    if (signOffs.stated(one.seq + at + 1, from as MemberId, statement) === "unsound")
      throw new TunnelError("sign-off-unsound");
  }
  if (toHex(signOff.digest) !== one.digest || signOff.words !== one.words || signOff.state !== one.state)
    throw new Error("another sign-off than stated");
}

/** Every scenario of the layer; `ok` says whether it is in order. */
export function signOffScenarios(): readonly (Case & { name: string; expect: "ok" | "sign-off" })[] {
  const primitives = seededPrimitives("vectors: sign-off");
  const room = roomIdFrom(primitives.random(16));
  const view = { seq: 41, chain: primitives.random(32) };
  const [ana, ben, anas, bens, other] = Array.from({ length: 5 }, () =>
    nodePrimitives.importSigningKeyPair(primitives.random(32)),
  );
  if (
    ana === undefined ||
    ben === undefined ||
    anas === undefined ||
    bens === undefined ||
    other === undefined
  )
    throw new Error("no keys");
  const outcome = "GET /orders answers an object\nwith “items” and “next”";
  const proposal = encodeProposal(outcome);
  const digest = nodePrimitives.sha256(outcomeBytes(room, view, nodePrimitives.sha256(encodeUtf8(outcome))));
  const idOf = (keys: SigningKeyPair): MemberId => memberIdOf(nodePrimitives, keys.publicKey);
  const stated = (
    by: SigningKeyPair,
    human: SigningKeyPair,
    said: Partial<Statement> = {},
    over: {
      readonly digest?: Bytes;
      readonly certifiedBy?: SigningKeyPair;
      readonly change?: Partial<Statement>;
    } = {},
  ): Case["statements"][number] => {
    const from = idOf(by);
    const signs = over.digest ?? digest;
    const verdict = said.verdict ?? "done";
    const made = said.made ?? "page";
    const key = human.publicKey;
    const text = encodeStatement({
      signs,
      seq: view.seq,
      verdict,
      ...(said.reason === undefined ? {} : { reason: said.reason }),
      made,
      key,
      certificate: (over.certifiedBy ?? by).sign(certificateBytes(signs, from, { made, key })),
      signature: human.sign(statementBytes(signs, from, { verdict, reason: said.reason })),
      ...over.change,
    });
    return { from, text };
  };
  const base = {
    room,
    seq: view.seq,
    chain: toHex(view.chain),
    members: [ana, ben].map((one) => ({ id: idOf(one), key: toHex(one.publicKey) })),
    proposal,
    digest: toHex(digest),
  };
  const words = wordsFor(base, proposal);
  const [first, second] = [stated(ana, anas), stated(ben, bens, { made: "terminal" })];
  const made = (
    name: string,
    expected: "ok" | "sign-off",
    statements: Case["statements"],
    state = "open",
    change: Partial<Case> = {},
  ) => ({ name, expect: expected, ...base, words, statements, state, ...change });
  const text = (from: { from: string }, change: (text: string) => string, of = first.text) => ({
    from: from.from,
    text: change(of),
  });
  const stranger = memberIdFrom(primitives.random(8));
  const elsewhere = nodePrimitives.sha256(primitives.random(32));
  return [
    made("signed by both", "ok", [first, second], "signed"),
    made(
      "refused with a reason",
      "ok",
      [first, stated(ben, bens, { verdict: "not-done", reason: "no tests" })],
      "refused",
    ),
    made(
      "late, and said twice",
      "ok",
      [text(first, (one) => one.replace('"seq":41', '"seq":40')), first, stated(ana, other)],
      "open",
    ),
    made("a key that is not certified by its member", "sign-off", [
      stated(ben, bens, {}, { certifiedBy: ana }),
    ]),
    made("a certificate for another place of making", "sign-off", [
      stated(ben, bens, {}, { change: { made: "terminal" } }),
    ]),
    made("a signature by another key", "sign-off", [
      stated(ben, bens, {}, { change: { key: other.publicKey } }),
    ]),
    made("a signature of the other verdict", "sign-off", [
      stated(ben, bens, {}, { change: { verdict: "not-done" } }),
    ]),
    made("a statement from another room", "sign-off", [stated(ben, bens, {}, { digest: elsewhere })]),
    made("a digest that is not signed", "sign-off", [
      stated(ben, bens, {}, { digest: elsewhere, change: { signs: digest } }),
    ]),
    made("another outcome than was signed", "sign-off", [first], "open", {
      proposal: encodeProposal(`${outcome}!`),
    }),
    made(
      "another place than was signed",
      "sign-off",
      [text(first, (one) => one.replace('"seq":41', '"seq":42'))],
      "open",
      { seq: 42 },
    ),
    made("another chain than was signed", "sign-off", [first], "open", {
      chain: toHex(primitives.random(32)),
    }),
    made("said by another member", "sign-off", [{ from: second.from, text: first.text }]),
    made("said by somebody who is not asked", "sign-off", [{ from: stranger, text: first.text }]),
    made("the key of a member", "sign-off", [stated(ana, ben)]),
    made("the key of another statement", "sign-off", [first, stated(ben, anas)]),
    made("a reason for a yes", "sign-off", [stated(ana, anas, {}, { change: { reason: "why not" } })]),
    made("a verdict that nobody knows", "sign-off", [
      text(first, (one) => one.replace('"done"', '"perhaps"')),
    ]),
    made("white space", "sign-off", [text(first, (one) => one.replace(":", ": "))]),
    made("one more key", "sign-off", [text(first, (one) => one.replace("{", '{"to":"all",'))]),
    made("a key of small order", "sign-off", [
      stated(ana, anas, {}, { change: { key: Uint8Array.of(1, ...new Uint8Array(31)) } }),
    ]),
    made("a blank outcome", "sign-off", [], "open", { proposal: encodeProposal(" \n") }),
    made("an outcome that is too long", "sign-off", [], "open", {
      proposal: encodeProposal("x".repeat(2_001)),
    }),
  ];
}

/** The words of a proposal, by the code that members run. */
function wordsFor(base: Pick<Case, "room" | "seq" | "chain" | "members">, proposal: string): string {
  const signOff = new SignOffs(nodePrimitives).proposed({
    room: must(parseRoomId(base.room), "a room"),
    from: must(base.members[0], "a member").id as MemberId,
    view: { seq: base.seq, chain: unhex(base.chain) },
    ts: 0,
    outcome: must(decodeProposal(proposal), "a proposal"),
    members: base.members.map(member),
  });
  if (equalBytes(signOff.digest, NO_HASH)) throw new Error("no digest");
  return signOff.words;
}
