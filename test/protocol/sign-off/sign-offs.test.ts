import { createHash, createPublicKey, verify } from "node:crypto";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { describe, expect, it } from "vitest";
import { toBase64url } from "../../../src/protocol/base/bytes.ts";
import { SIGN_OFF } from "../../../src/protocol/base/limits.ts";
import { decodeOffer } from "../../../src/protocol/files/offer.ts";
import { decodeServiceOffer, decodeWithdrawal } from "../../../src/protocol/services/offer.ts";
import { certificateBytes, statementBytes } from "../../../src/protocol/sign-off/signed-bytes.ts";
import {
  decodeProposal,
  decodeStatement,
  encodeProposal,
  encodeStatement,
  type Statement,
} from "../../../src/protocol/sign-off/statement.ts";
import { attestationOf, post, propose, standing, state, statementOf } from "../../support/signing.ts";
import { nodePrimitives, World, type Guest } from "../../support/wire.ts";

const alarms = (world: World): string[] => world.did("alarm").map(({ error }) => error.code);
const alarmsOf = (guest: Guest): string[] =>
  guest.effects.flatMap((effect) => (effect.type === "alarm" ? [effect.error.code] : []));
const views = (world: World, guests: readonly Guest[]) =>
  (["host", ...guests] as const).map((who) => {
    const { state: name, digest, counted, missing } = standing(world, who);
    return [name, toBase64url(digest), counted.map(([id]) => id), missing.map((one) => one.name)];
  });
const onlyOne = (values: readonly unknown[]): void => {
  for (const value of values) expect(value).toEqual(values[0]);
};

describe("a proposal", () => {
  it("[Z1] is text of a message like others, and comes to every member as what it is", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    const outcome = "GET /orders answers\nan object 🎉";
    post(world, ben, encodeProposal(outcome));
    for (const entries of [world.hostEntries, ben.entries, cid.entries])
      expect(entries.at(-1)).toMatchObject({ kind: "proposal", outcome, fromName: "ben", to: undefined });
    expect(standing(world).proposed.members.map(({ name }) => name)).toEqual(["ana", "ben", "cid"]);
  });

  it.each([
    ["no text", ""],
    ["blank", " \n "],
    ["a control character", "a\u0007b"],
    ["too long", "x".repeat(SIGN_OFF.maxOutcomeChars + 1)],
  ])("[Z1] is none where its outcome is %s", (_, outcome) => {
    expect(decodeProposal(encodeProposal(outcome))).toBeUndefined();
  });

  it("[Z1] has one text, and one for some members alone is none", () => {
    expect(decodeProposal('{"proposes": "x"}')).toBeUndefined();
    expect(decodeProposal('{"proposes":"x","to":"y"}')).toBeUndefined();
    expect(decodeProposal(encodeProposal("🎉".repeat(SIGN_OFF.maxOutcomeChars)))).toHaveLength(
      2 * SIGN_OFF.maxOutcomeChars,
    );
    const world = new World();
    const ben = world.pair("ben");
    post(world, ben, encodeProposal("for ana alone"), { to: [world.room.self] });
    expect(alarms(world)).toEqual(["offer-unreadable"]);
    expect(world.room.signOff).toBeUndefined();
    expect(ben.member.connection.name).toBe("connected");
  });

  it("[Z1] is to a program that knows offers alone one that it cannot read, and no more", () => {
    const world = new World();
    world.pair("ben");
    propose(world, "host");
    for (const text of [encodeProposal("x"), encodeStatement(statementOf(world, "host"))])
      expect([decodeOffer(text), decodeServiceOffer(text), decodeWithdrawal(text)]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
  });

  it("[Z1] [Z7] replaces the one before it, whoever makes it, and a signature under that one is late", () => {
    const world = new World();
    const ben = world.pair("ben");
    const first = propose(world, "host", "one");
    const signed = statementOf(world, ben);
    const second = propose(world, ben, "two");
    expect([first.state, second.state, standing(world) === second]).toEqual(["replaced", "open", true]);
    state(world, ben, signed);
    expect(world.hostEntries.at(-1)).toMatchObject({ kind: "statement", standing: "late" });
    expect([second.state, alarms(world)]).toEqual(["open", []]);
  });

  it("[Z2] is signed by a digest over its room, its place, the chain there and its outcome", () => {
    const world = new World();
    const ben = world.pair("ben");
    const { digest, proposed, words } = propose(world, ben, "déjà vu");
    const { room, view } = proposed;
    const sized = (bytes: Uint8Array): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return Buffer.concat([length, bytes]);
    };
    const place = Buffer.alloc(8);
    place.writeBigUInt64BE(BigInt(view.seq));
    const sha = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
    const fields = ["tunnel-mcp/1 outcome", room, place, view.chain, sha(Buffer.from("déjà vu"))];
    const list = Buffer.concat(
      fields.map((field) => sized(typeof field === "string" ? Buffer.from(field) : field)),
    );
    expect(Buffer.from(digest).equals(sha(list))).toBe(true);
    expect(view).toEqual(world.room.attestation.log.end);
    const bits = Array.from(digest.slice(0, 5), (byte) => byte.toString(2).padStart(8, "0")).join("");
    expect(words).toBe(
      [0, 11, 22].map((at) => wordlist[Number.parseInt(bits.slice(at, at + 11), 2)]).join(" "),
    );
    onlyOne(views(world, [ben]));
  });

  it("[Z2] has another digest in another room, at another place, behind other words", () => {
    const digests = new Set<string>();
    for (const before of [[], ["hello"], ["hullo"]])
      for (let room = 0; room < 2; room += 1) {
        const world = new World();
        world.pair("ben");
        for (const text of before) world.room.say({ text }, world.now);
        digests.add(toBase64url(propose(world, "host").digest));
      }
    expect(digests.size).toBe(6);
  });
});

describe("a statement", () => {
  it("[Z3] is the same after a journey, and strict", () => {
    const world = new World();
    const ben = world.pair("ben");
    propose(world, "host");
    const whole = statementOf(world, ben, {
      verdict: "not-done",
      reason: "the list is missing",
      made: "terminal",
    });
    expect(decodeStatement(encodeStatement(whole))).toEqual(whole);
    const plain = JSON.parse(encodeStatement(statementOf(world, ben))) as Record<string, unknown>;
    for (const change of [
      { verdict: "yes" },
      { made: "agent" },
      { reason: "a reason for a yes" },
      { seq: 0 },
      { key: "A".repeat(43) },
      { signature: "A".repeat(85) },
      { more: 1 },
    ])
      expect(
        decodeStatement(JSON.stringify({ ...plain, ...change })),
        JSON.stringify(change),
      ).toBeUndefined();
    const refusal = JSON.parse(encodeStatement(whole)) as Record<string, unknown>;
    for (const reason of ["", "x".repeat(SIGN_OFF.maxReasonChars + 1), "\u0000"])
      expect(decodeStatement(JSON.stringify({ ...refusal, reason }))).toBeUndefined();
  });

  it("[Z4] has a signature of the person's key and one of the member's, each over what the rule names", () => {
    const world = new World();
    const ben = world.pair("ben");
    const { digest } = propose(world, "host");
    const { key, certificate, signature } = statementOf(world, ben, { verdict: "not-done", reason: "why" });
    const { self } = attestationOf(world, ben);
    const isSigned = (by: Uint8Array, bytes: Uint8Array, sig: Uint8Array): boolean => {
      const jwk = { kty: "OKP", crv: "Ed25519", x: toBase64url(by) };
      return verify(null, bytes, createPublicKey({ key: jwk, format: "jwk" }), sig);
    };
    const member = standing(world).proposed.members.find(({ id }) => id === self);
    expect(member?.name).toBe("ben");
    const said = { verdict: "not-done", reason: "why" } as const;
    expect(isSigned(key, statementBytes(digest, self, said), signature)).toBe(true);
    expect(
      isSigned(member?.key ?? key, certificateBytes(digest, self, { made: "page", key }), certificate),
    ).toBe(true);
    expect(isSigned(key, statementBytes(digest, self, { ...said, reason: "" }), signature)).toBe(false);
    expect(isSigned(key, statementBytes(digest, world.room.self, said), signature)).toBe(false);
  });

  it("[Z5] [Z7] counts once for each member, in the same way for everybody", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    const signOff = propose(world, ben);
    state(world, "host");
    expect(signOff.missing.map(({ name }) => name)).toEqual(["ben", "cid"]);
    state(world, ben);
    state(world, ben, statementOf(world, ben, { verdict: "not-done" }));
    expect(cid.entries.at(-1)).toMatchObject({ kind: "statement", standing: "late", missing: ["cid"] });
    expect(signOff.state).toBe("open");
    state(world, cid);
    expect(world.hostEntries.at(-1)).toMatchObject({ kind: "statement", standing: "counts", missing: [] });
    expect([signOff.state, signOff.signedAt]).toEqual(["signed", world.room.lastSeq]);
    onlyOne(views(world, [ben, cid]));
    expect(alarms(world)).toEqual([]);
  });

  const unsound: readonly [string, (world: World, ben: Guest, cid: Guest) => Statement][] = [
    [
      "with another's certificate",
      (world, ben, cid) => ({ ...statementOf(world, ben), certificate: statementOf(world, cid).certificate }),
    ],
    [
      "without a certificate of this key",
      (world, ben) => ({ ...statementOf(world, ben), certificate: statementOf(world, ben).certificate }),
    ],
    [
      "with another signature",
      (world, ben) => ({ ...statementOf(world, ben), signature: statementOf(world, ben).signature }),
    ],
    ["of the other verdict", (world, ben) => ({ ...statementOf(world, ben), verdict: "not-done" })],
    [
      "with another reason",
      (world, ben) => ({ ...statementOf(world, ben, { verdict: "not-done", reason: "a" }), reason: "b" }),
    ],
    ["made elsewhere than certified", (world, ben) => ({ ...statementOf(world, ben), made: "terminal" })],
    ["over another digest", (world, ben) => ({ ...statementOf(world, ben), signs: new Uint8Array(32) })],
    ["of another member", (world, _, cid) => statementOf(world, cid)],
  ];

  it.each(unsound)(
    "[Z5] %s does not hold: it is told, counts for nothing, and costs nobody the room",
    (_, made) => {
      const world = new World();
      const [ben, cid] = [world.pair("ben"), world.pair("cid")];
      const signOff = propose(world, "host");
      state(world, ben, made(world, ben, cid));
      expect(alarms(world)).toEqual(["sign-off-unsound"]);
      expect(alarmsOf(cid)).toEqual(["sign-off-unsound"]);
      expect([signOff.state, signOff.counted]).toEqual(["open", []]);
      expect(ben.member.connection.name).toBe("connected");
      state(world, ben);
      expect(signOff.counted).toHaveLength(1);
      onlyOne(views(world, [ben, cid]));
    },
  );

  it("[Z5] of a key that signs for a member, or has signed for another one, does not hold", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    propose(world, "host");
    const keys = nodePrimitives.generateSigningKeyPair();
    state(world, cid, statementOf(world, cid, {}, keys));
    state(world, ben, statementOf(world, ben, {}, keys));
    expect(alarms(world)).toEqual(["sign-off-unsound"]);
    const { members } = standing(world).proposed;
    const own = members.find(({ name }) => name === "ben")?.key ?? new Uint8Array(32);
    state(world, ben, { ...statementOf(world, ben), key: own });
    expect(alarms(world)).toEqual(["sign-off-unsound", "sign-off-unsound"]);
  });

  it("[Z5] from another room, or of one who came later, does not hold", () => {
    const other = new World();
    const elsewhere = other.pair("ben");
    propose(other, "host");
    const foreign = statementOf(other, elsewhere);
    const world = new World();
    const ben = world.pair("ben");
    propose(world, "host");
    state(world, ben, { ...foreign, seq: standing(world).proposed.view.seq });
    expect(alarms(world)).toEqual(["sign-off-unsound"]);
    const cid = world.pair("cid");
    const { digest, proposed } = standing(world);
    const keys = nodePrimitives.generateSigningKeyPair();
    const attestation = attestationOf(world, cid);
    state(world, cid, {
      signs: digest,
      seq: proposed.view.seq,
      verdict: "done",
      made: "page",
      key: keys.publicKey,
      certificate: attestation.certify(digest, { made: "page", key: keys.publicKey }),
      signature: keys.sign(statementBytes(digest, attestation.self, { verdict: "done" })),
    });
    expect(alarms(world)).toEqual(["sign-off-unsound", "sign-off-unsound"]);
    expect(alarmsOf(cid)).toEqual([]);
    expect(standing(world).counted).toEqual([]);
  });
});

describe("what comes after a proposal", () => {
  type Later = (world: World, ben: Guest, cid: Guest) => void;
  const stale: readonly [string, Later][] = [
    ["a message to all", (world) => void world.room.say({ text: "one more thing" }, world.now)],
    [
      "a message of a person",
      (world, ben) => void ben.member.say({ text: "hm", author: "human" }, world.now),
    ],
    [
      "a message for others alone",
      (world, ben, cid) => void ben.member.say({ text: "psst", to: [cid.member.self] }, world.now),
    ],
    [
      "an offer that nobody can read",
      (world, ben) => void ben.member.say({ text: "{}", what: "file" }, world.now),
    ],
    [
      "a statement for some alone",
      (world, ben, cid) =>
        void ben.member.say(
          { text: encodeStatement(statementOf(world, ben)), what: "file", to: [cid.member.self] },
          world.now,
        ),
    ],
  ];

  it.each(stale)("[Z6] %s makes it stale, for everybody alike", (_, later) => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    const signOff = propose(world, "host");
    for (const who of ["host", ben, cid] as const) state(world, who);
    expect(signOff.state).toBe("signed");
    const { signedAt } = signOff;
    later(world, ben, cid);
    world.settle();
    expect([signOff.state, signOff.messagesSince, signOff.signedAt]).toEqual(["stale", 1, signedAt]);
    onlyOne(views(world, [ben, cid]));
  });

  it("[Z6] [Z7] leaves it as it is where nobody has said anything: who comes or goes, statements that count for nothing", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    const signOff = propose(world, "host");
    state(world, ben);
    world.pair("dan");
    state(world, ben, { ...statementOf(world, ben), signature: new Uint8Array(64) });
    cid.member.leave(world.now);
    world.settle();
    state(world, "host");
    expect([signOff.state, signOff.messagesSince]).toEqual(["open", 0]);
    expect(signOff.missing.map(({ name }) => name)).toEqual(["cid"]);
  });

  it("[Z7] a refusal is the last word, with its reason, and no later message hides it", () => {
    const world = new World();
    const ben = world.pair("ben");
    const signOff = propose(world, "host");
    state(world, ben, statementOf(world, ben, { verdict: "not-done", reason: "the tests are red" }));
    expect(world.hostEntries.at(-1)).toMatchObject({
      kind: "statement",
      author: "human",
      statement: { verdict: "not-done", reason: "the tests are red" },
    });
    state(world, "host");
    world.room.say({ text: "why?" }, world.now);
    world.settle();
    expect(signOff.state).toBe("refused");
    expect(propose(world, "host").state).toBe("open");
  });

  it("[Z6] [O9] is known to one who comes later and is given the history", () => {
    const world = new World({ history: true });
    const ben = world.pair("ben");
    propose(world, "host");
    state(world, ben);
    const cid = world.pair("cid");
    onlyOne(views(world, [ben, cid]));
    expect(standing(world, cid).counted).toHaveLength(1);
  });

  it("[Z5] a member that was not told of the proposal takes statements for late, and reports nothing", () => {
    const world = new World();
    const ben = world.pair("ben");
    propose(world, "host");
    const cid = world.pair("cid");
    state(world, ben);
    expect(cid.entries.at(-1)).toMatchObject({ kind: "statement", standing: "late" });
    expect([alarmsOf(cid), cid.member.signOff]).toEqual([[], undefined]);
  });
});
