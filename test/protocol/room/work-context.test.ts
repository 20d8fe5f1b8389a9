import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import {
  workContextBytes,
  workContextSchema,
  makeWorkContext,
  type WorkContext,
  type CardFacts,
} from "../../../src/protocol/room/work-context.ts";
import * as codec from "../../../src/protocol/room/frames.ts";
import { memberIdFrom } from "../../../src/protocol/base/ids.ts";
import { CARD, LINK, PRE_AUTH, RECORD, ROOM } from "../../../src/protocol/base/limits.ts";
import { FRAME, MAX_PAYLOAD_BYTES, RecordLayer } from "../../../src/protocol/record/record.ts";

import { guestHalf } from "../../support/guest-half.ts";
import { provedRecord } from "../../support/proved.ts";
import { codeOf } from "../../support/thrown.ts";
import { nodePrimitives, World } from "../../support/wire.ts";
import { encodeUtf8, utf8Length } from "../../../src/protocol/base/utf8.ts";

const HEAD = "a".repeat(40);
const client = { name: "claude-code", version: "2.1.0" };
const repository = { name: "shop", branch: "main", head: HEAD, dirty: false };
const isCard = (value: unknown): boolean => z.safeParse(workContextSchema, value).success;

/** A work context of exactly as many bytes as one may have, by name, branch and version. */
function largest(): WorkContext {
  const at = (chars: number): WorkContext => ({
    repository: { name: "n".repeat(100), branch: "b".repeat(chars), head: HEAD, dirty: false },
    client: { name: "c", version: "v".repeat(60) },
  });
  const fits = Array.from({ length: 100 }, (_, index) => at(100 - index)).find(isCard);
  if (fits === undefined) throw new Error("no work context fits");
  return fits;
}

describe("a work context", () => {
  it.each<[string, CardFacts, unknown]>([
    ["everything", { repository, client }, { repository, client }],
    ["a program alone", { client }, { client }],
    ["a repository alone", { repository }, { repository }],
    [
      "a detached head",
      { repository: { ...repository, branch: undefined } },
      { repository: { name: "shop", head: HEAD, dirty: false } },
    ],
    [
      "no commit yet",
      { repository: { name: "shop", branch: "main", dirty: true } },
      { repository: { name: "shop", branch: "main", dirty: true } },
    ],
    [
      "a commit by SHA-256",
      { repository: { ...repository, head: "0".repeat(64) } },
      { repository: { ...repository, head: "0".repeat(64) } },
    ],
    ["nothing", {}, undefined],
    [
      "blanks around a name",
      { client: { name: " codex ", version: "1" } },
      { client: { name: "codex", version: "1" } },
    ],
    [
      "a branch that passes for something else",
      { repository: { ...repository, branch: "main\u202e" }, client },
      { repository: { name: "shop", head: HEAD, dirty: false }, client },
    ],
    [
      "a branch without a name",
      { repository: { ...repository, branch: "" }, client },
      { repository: { name: "shop", head: HEAD, dirty: false }, client },
    ],
    [
      "a repository with a control character",
      { repository: { ...repository, name: "a\u001b[2J" }, client },
      { client },
    ],
    ["a program without a name", { repository, client: { name: "", version: "1" } }, { repository }],
    ["a commit that is none", { repository: { ...repository, head: "HEAD" }, client }, { client }],
    ["nothing that can be told", { client: { name: "\u200b", version: "1" } }, undefined],
  ])("of %s is what may be told of it", (_what, facts, workContext) => {
    expect(makeWorkContext(facts)).toEqual(workContext);
  });

  it("shortens what is long, to 100 characters, and leaves the branch out where all is too long", () => {
    const workContext = makeWorkContext({ client: { name: "🐙".repeat(150), version: "1" } });
    expect(workContext?.client?.name).toBeUndefined();
    const ascii = makeWorkContext({
      client: { name: "x".repeat(150), version: `${"v".repeat(98)} ${"w".repeat(9)}` },
    });
    expect([ascii?.client?.name, ascii?.client?.version]).toEqual([
      `${"x".repeat(99)}…`,
      `${"v".repeat(98)}…`,
    ]);
    const long = { name: "n".repeat(100), branch: "b".repeat(100), head: HEAD, dirty: true };
    const made = makeWorkContext({ repository: long, client: { name: "c".repeat(60), version: "1" } });
    expect(made?.repository).toEqual({ name: long.name, head: HEAD, dirty: true });
    for (const length of [1, 50, 99, 100, 101, 200])
      for (const letter of ["x", "é", "你", "🐙", '"', "\\"]) {
        const any = makeWorkContext({ repository: { ...long, name: letter.repeat(length) }, client });
        expect(any === undefined || utf8Length(JSON.stringify(any)) <= CARD.maxBytes).toBe(true);
        expect(any === undefined || isCard(any)).toBe(true);
      }
  });

  it.each<[string, unknown]>([
    ["a key too many", { client, path: "/home" }],
    ["a key too many inside", { repository: { ...repository, path: "/home" } }],
    ["no dirty", { repository: { name: "shop" } }],
    ["dirty as text", { repository: { ...repository, dirty: "false" } }],
    ["a short commit", { repository: { ...repository, head: "abc123" } }],
    ["a commit in capitals", { repository: { ...repository, head: "A".repeat(40) } }],
    ["a program without a version", { client: { name: "codex" } }],
    ["a name of 101 characters", { client: { name: "x".repeat(101), version: "1" } }],
    ["an invisible name", { client: { name: "\u3164", version: "1" } }],
    ["a name of two lines", { client: { name: "a\nb", version: "1" } }],
    ["385 bytes", { repository: { name: "é".repeat(100), branch: "é".repeat(60), head: HEAD, dirty: true } }],
    ["null inside", { client: null }],
    ["a list", []],
  ])("[F2] [T1] with %s is none", (_what, workContext) => {
    expect(isCard(workContext)).toBe(false);
  });

  it("[O5] [K1] has another part in the roster's hash for every difference, and none without one", () => {
    const workContexts: (WorkContext | undefined)[] = [
      undefined,
      {},
      { client },
      { client: { ...client, version: "2.1.1" } },
      { client: { name: "claude", version: "-code2.1.0" } },
      { repository },
      { repository: { ...repository, dirty: true } },
      { repository: { name: "shopmain", head: HEAD, dirty: false } },
      { repository: { name: "shop", branch: "main", dirty: false } },
      { repository, client },
    ];
    const hashed = workContexts.map((workContext) =>
      Buffer.from(workContextBytes(workContext)).toString("hex"),
    );
    expect(new Set(hashed).size).toBe(workContexts.length);
    expect(hashed[0]).toBe("");
  });
});

describe("a work context on its way", () => {
  const bytes = new Uint8Array(32).fill(111);
  const proof = new Uint8Array(64).fill(255);
  /** 64 code points in 256 bytes, and 64 that JSON doubles. */
  const names = ["𝕬".repeat(64), '"'.repeat(64), "\\".repeat(64)];

  it("[A1] [H11] the largest fits beside the longest name into the first record of a member", () => {
    const workContext = largest();
    expect(utf8Length(JSON.stringify(workContext))).toBe(CARD.maxBytes);
    for (const name of names) {
      const payload = codec.encodeConfirm({
        share: bytes,
        name,
        key: bytes,
        box: bytes,
        proof,
        workContext,
        received: 2 ** 53 - 1,
      });
      const layer = new RecordLayer(nodePrimitives, { send: bytes.slice(), receive: bytes.slice() }, 0);
      const [record, ...rest] = layer.seal({ type: FRAME.confirm, payload }, 0);
      expect(rest).toEqual([]);
      expect(record?.length).toBe(PRE_AUTH.maxFrameBytes);
      expect(codec.decodeConfirm(payload)).toMatchObject({ name, workContext });
    }
  });

  it("[I8] [Q2] 64 of the largest, with the longest names, goal and addresses, and all observers fit into a WELCOME", () => {
    const [name = ""] = names;
    const members: codec.MemberRecord[] = Array.from({ length: ROOM.maxMembers }, (_, index) => ({
      id: memberIdFrom(new Uint8Array(8).fill(index)),
      name,
      key: bytes,
      box: bytes,
      hash: bytes,
      proof,
      workContext: largest(),
    }));
    // The longest that an observer's record can be.
    for (let index = 0; index < ROOM.maxObservers; index += 1)
      members.push({
        id: memberIdFrom(new Uint8Array(8).fill(200 + index)),
        name: "𝕬".repeat(ROOM.maxObserverNameChars),
        key: bytes,
        box: bytes,
        hash: bytes,
        proof,
        role: "observer-history",
      });
    const [first] = members;
    if (first === undefined) throw new Error("nobody is there");
    const welcome = {
      goal: "𝕬".repeat(ROOM.maxGoalChars),
      self: first.id,
      name,
      host: first.id,
      members,
      received: 2 ** 53 - 1,
      view: { seq: 2 ** 53 - 1, chain: bytes },
      idleMs: ROOM.maxIdleMs,
      history: false,
      // Names of 253 letters, the longest that can be looked up, and the longest ports.
      addresses: Array.from(
        { length: LINK.maxAddresses },
        () => `wss://${`${"a".repeat(61)}.`.repeat(4)}b.com:65535`,
      ),
      keptForSec: ROOM.maxKeptForSec,
    };
    const payload = codec.encodeWelcome(welcome);
    // A header has a length of 16 bits (F1).
    expect(payload.length - 2).toBeLessThanOrEqual(0xffff);
    expect(payload.length - 2).toBeGreaterThan(60_000);
    expect(payload.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
    expect(MAX_PAYLOAD_BYTES).toBeLessThan(RECORD.maxFrameBytes);
    expect(codec.decodeWelcome(payload).members).toHaveLength(ROOM.maxMembers + ROOM.maxObservers);
    const short = members.map((member) => ({ ...member, name: "x", workContext: undefined }));
    const more = { ...welcome, members: [...short, ...short.slice(-1)] };
    expect(codeOf(() => codec.decodeWelcome(codec.encodeWelcome(more)))).toBe("protocol-violation");
  });

  it("[H6] [F2] one that is malformed is denied at the door, and burns no invite", () => {
    const world = new World();
    const link = world.link();
    const enter = (workContext: unknown): number => {
      const half = guestHalf(link);
      const { connection, send } = world.stranger("somebody");
      const [challenge = bytes] = world.sentTo(connection);
      send(half.answer(challenge));
      const result = half.finish(world.sentTo(connection)[1] ?? bytes);
      const secrets = { send: result.initiatorToResponder, receive: result.responderToInitiator };
      const records = new RecordLayer(nodePrimitives, secrets, world.now);
      const keys = nodePrimitives.generateSigningKeyPair();
      const { hash } = result;
      const { key, box, proof } = provedRecord(link.room, keys, { name: "eve", hash });
      const whole = codec.encodeConfirm({ share: half.share, name: "eve", key, box, proof, received: 0 });
      const json = encodeUtf8(
        `${Buffer.from(whole.subarray(2)).toString("utf8").slice(0, -1)},"workContext":${JSON.stringify(workContext)}}`,
      );
      const payload = Uint8Array.of(json.length >> 8, json.length & 255, ...json);
      for (const message of records.seal({ type: FRAME.confirm, payload }, world.now)) send(message);
      return world.sentTo(connection).at(-1)?.[0] ?? 0;
    };
    for (const workContext of [
      { client, path: "/home" },
      { client: { name: "a\u202eb", version: "1" } },
      null,
      "x",
      { repository: {} },
    ])
      expect(enter(workContext)).toBe(4);
    expect(world.hostEntries).toEqual([]);
    expect(world.room.pendingInvites(world.now)).toHaveLength(1);
    // The same with a work context that is one.
    expect(enter({ client })).toBe(0x10);
    expect(world.hostEntries).toMatchObject([{ event: "joined", name: "eve", workContext: { client } }]);
    expect(codeOf(() => codec.decodeConfirm(bytes))).toBe("protocol-violation");
  });

  it("[O5] is shown to all as its member told it, the host's own among them", () => {
    const workContext: WorkContext = { client };
    const world = new World({ workContext });
    const guest = world.pair();
    const shown = guest.member.presence(world.now).map((one) => [one.name, one.workContext]);
    expect(shown).toEqual([
      ["ana", workContext],
      ["ben", undefined],
    ]);
    expect(guest.member.membership?.order.members.map((one) => one.workContext)).toEqual([
      workContext,
      undefined,
    ]);
  });
});
