import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toBase64url } from "../../src/protocol/base/bytes.ts";
import { statementBytes } from "../../src/protocol/sign-off/signed-bytes.ts";
import {
  decodeProposal,
  decodeStatement,
  encodeProposal,
  encodeStatement,
} from "../../src/protocol/sign-off/statement.ts";
import { verifyTranscript } from "../../src/session/transcript/verify.ts";
import { anyBytes, oddJson, seeded, spoiled } from "../hostile-peers/support/input.ts";
import { post, propose, standing, state, statementOf } from "../support/signing.ts";
import { reread, transcriptOf } from "../support/transcripts.ts";
import { nodePrimitives, World, type Guest } from "../support/wire.ts";

const world = new World();
const ben = world.pair("ben");
propose(world, "host");
const statement = statementOf(world, ben, { verdict: "not-done", reason: "no" });
const whole = JSON.parse(encodeStatement(statement)) as Record<string, unknown>;

describe("what a peer sends about signing off", () => {
  it("[Z1] [Z3] is a proposal, a statement, or nothing: whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(spoiled(whole), spoiled({ proposes: "done" }), oddJson, fc.string()), (text) => {
        const said = decodeStatement(text);
        if (said !== undefined) expect(JSON.parse(encodeStatement(said))).toEqual(JSON.parse(text));
        const outcome = decodeProposal(text);
        if (outcome !== undefined) expect(encodeProposal(outcome)).toBe(text);
        expect(said === undefined || outcome === undefined).toBe(true);
      }),
      seeded(211, 600),
    );
  });

  it("[Z5] holds for the one whom it was made for, with every bit as it was, or not at all", () => {
    const signOff = standing(world);
    expect(signOff.isSound(ben.member.self, statement)).toBe(true);
    const fields = ["signs", "key", "certificate", "signature"] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...fields),
        fc.nat(63),
        fc.integer({ min: 1, max: 255 }),
        (field, at, change) => {
          const bytes = statement[field].slice();
          const place = at % bytes.length;
          bytes[place] = (bytes[place] ?? 0) ^ change;
          expect(signOff.isSound(ben.member.self, { ...statement, [field]: bytes })).toBe(false);
        },
      ),
      seeded(212, 300),
    );
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.constantFrom("page", "terminal"), (reason, made) => {
        const other = { ...statement, reason, made };
        const isSame = reason === "no" && made === "page";
        expect(signOff.isSound(ben.member.self, other)).toBe(isSame);
      }),
      seeded(213, 100),
    );
    fc.assert(
      fc.property(anyBytes(), anyBytes(), (a, b) => {
        const said = { verdict: "done" as const };
        const bytes = statementBytes(signOff.digest, ben.member.self, said);
        expect(nodePrimitives.verifySignature(a, bytes, b)).toBe(false);
      }),
      seeded(214, 200),
    );
  });
});

describe("whatever happens in a room", () => {
  type Step = readonly [
    what: "propose" | "say" | "whisper" | "sign" | "refuse" | "forge" | "junk" | "join",
    who: number,
  ];
  const step = fc.tuple(
    fc.constantFrom<Step[0]>(
      "propose",
      "say",
      "whisper",
      "sign",
      "sign",
      "sign",
      "refuse",
      "forge",
      "junk",
      "join",
    ),
    fc.nat(2),
  );

  it("[Z5] [Z6] [Z7] [J7] all members come to the same, and so does whoever reads the transcript of any of them", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 14 }), (steps) => {
        const room = new World();
        const [second, third] = [room.pair("ben"), room.pair("cid")];
        const members = ["host", second, third] as const;
        propose(room, "host", "0");
        for (const [turn, [what, at]] of steps.entries()) take(room, members, what, at, turn);
        const seen = members.map((who) => {
          const { state: how, digest, counted, messagesSince } = standing(room, who);
          return [how, toBase64url(digest), counted.map(([id, { seq }]) => [id, seq]), messagesSince];
        });
        for (const one of seen) expect(one).toEqual(seen[0]);
        for (const who of members) {
          const { ok, signedOff } = verifyTranscript(nodePrimitives, reread(transcriptOf(room, who)));
          const last = signedOff.proposals.at(-1);
          expect([ok, last?.state, last && toBase64url(last.digest), last?.messagesSince]).toEqual([
            true,
            seen[0]?.[0],
            seen[0]?.[1],
            seen[0]?.[3],
          ]);
        }
      }),
      seeded(215, 25),
    );
  });

  function take(
    room: World,
    members: readonly (Guest | "host")[],
    what: Step[0],
    at: number,
    turn: number,
  ): void {
    const who = members[at] ?? "host";
    const words = { text: `${what} ${turn}` };
    switch (what) {
      case "propose":
        return void propose(room, who, `outcome ${turn}`);
      case "say":
        return post(room, who, words.text, { what: undefined });
      case "whisper": {
        const to =
          who === "host"
            ? members.flatMap((one) => (one === "host" ? [] : [one.member.self]))
            : [room.room.self];
        return post(room, who, words.text, { what: undefined, to: to.slice(0, 1) });
      }
      case "sign":
        return void state(room, who);
      case "refuse":
        return void state(room, who, statementOf(room, who, { verdict: "not-done", reason: words.text }));
      case "forge":
        return void state(room, who, { ...statementOf(room, who), signature: new Uint8Array(64).fill(turn) });
      case "junk":
        return post(room, who, `{"signs":${turn}}`);
      case "join":
        return void room.pair(`late ${turn}`);
    }
  }
});
