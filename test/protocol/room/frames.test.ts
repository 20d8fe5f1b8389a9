import { INTENTS } from "../../../src/protocol/room/intent.ts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, toBase64url, type Bytes } from "../../../src/protocol/base/bytes.ts";
import * as codec from "../../../src/protocol/room/frames.ts";
import {
  END_CAUSES,
  LEAVE_CAUSES,
  type Confirm,
  type HostFrame,
  type HostNote,
  type MemberFrame,
  type MemberNote,
  type RoomEvent,
  type Welcome,
} from "../../../src/protocol/room/frames.ts";
import { ROOM } from "../../../src/protocol/base/limits.ts";
import { memberIdFrom } from "../../../src/protocol/base/ids.ts";
import { parseBoxKey, parseSigningKey } from "../../../src/protocol/base/public-keys.ts";
import { isGoal, isName, isText } from "../../../src/protocol/base/text.ts";
import { codeOf } from "../../support/thrown.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const utf8 = (text: string): Bytes => encodeUtf8(text);

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const id = bytes(8).map(memberIdFrom);
const label = (check: (text: string) => boolean, maxLength: number) =>
  fc.string({ unit: "grapheme", minLength: 1, maxLength }).filter(check);
const name = label(isName, 30);
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 }).filter(isText);
const counter = fc.maxSafeNat();
const positive = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const view = fc.record({ seq: counter, chain: bytes(32) });
const key = bytes(32).filter((one) => parseSigningKey(toBase64url(one)) !== undefined);
const box = bytes(32).filter((one) => parseBoxKey(toBase64url(one)) !== undefined);
const member = fc.record({ id, name, key, box, hash: bytes(32), proof: bytes(64) });
const chat = {
  n: positive,
  prev: bytes(32),
  view,
  sig: bytes(64),
  intent: fc.constantFrom(...INTENTS),
  replyTo: positive,
};
/** Recipients with a wrap each, or neither. */
const addressed = fc.option(
  fc.uniqueArray(fc.tuple(id, bytes(48)), { minLength: 1, maxLength: 5, selector: ([to]) => to }),
  { nil: undefined },
);
const withAddress = <Message>(message: fc.Arbitrary<Message>) =>
  fc.tuple(message, addressed, box).map(([one, pairs, sealKey]) =>
    pairs === undefined
      ? one
      : {
          ...one,
          to: pairs.map(([to]) => to),
          seal: { key: sealKey, commitment: sealKey, wraps: pairs.map(([, wrap]) => wrap) },
        },
  );
const required = ["n", "prev", "view", "sig"] as const;
const said = withAddress(
  fc.record({ t: fc.constant("say" as const), ...chat }, { requiredKeys: ["t", ...required] }),
);
const chatEvent = withAddress(
  fc.record(
    { kind: fc.constant("chat" as const), from: id, ...chat },
    { requiredKeys: ["kind", "from", ...required] },
  ),
);
const systemEvents: fc.Arbitrary<RoomEvent> = fc.oneof(
  fc.record({ kind: fc.constant("joined" as const), member }),
  fc.record(
    {
      kind: fc.constant("withheld" as const),
      from: id,
      ...chat,
      to: fc.uniqueArray(id, { minLength: 1, maxLength: 5 }),
      digests: fc.record({ seal: bytes(32), body: bytes(32) }),
    },
    { requiredKeys: ["kind", "from", "to", "digests", ...required] },
  ),
  fc.record({ kind: fc.constant("left" as const), id, cause: fc.constantFrom(...LEAVE_CAUSES) }),
  fc.record({ kind: fc.constant("idle-warning" as const), endsInMs: fc.nat(ROOM.idleWarningMs) }),
  fc.record({ kind: fc.constant("returned" as const) }),
  fc.record({ kind: fc.constant("ended" as const), cause: fc.constantFrom(...END_CAUSES) }),
);
const place = { seq: positive, ts: fc.integer({ min: 0, max: 8.64e15 }) };
const bare: fc.Arbitrary<HostFrame> = fc.oneof(
  fc.record({ t: fc.constant("event" as const), ...place, event: systemEvents }),
  fc.record({ t: fc.constant("own" as const), ...place, n: positive }),
);
const addresses = fc.array(fc.constantFrom("wss://a.example", "ws://127.0.0.1:80", "ws://[::1]:1"), {
  maxLength: 4,
});
const hostNote: fc.Arbitrary<HostNote> = fc.record(
  {
    members: fc.array(fc.record({ id, connected: fc.boolean(), heardAgoMs: counter, read: counter }), {
      maxLength: 4,
    }),
    addresses,
  },
  { requiredKeys: ["members"] },
);
const memberNote: fc.Arbitrary<MemberNote> = fc.record({ read: counter, active: fc.boolean() });
const confirm: fc.Arbitrary<Confirm> = fc.record({
  share: bytes(32),
  name,
  key,
  box,
  proof: bytes(64),
  received: counter,
});
const welcome: fc.Arbitrary<Welcome> = fc.record({
  goal: label(isGoal, 100),
  self: id,
  name,
  host: id,
  members: fc.array(member, { maxLength: 4 }),
  received: counter,
  view,
  idleMs: fc.integer({ min: 1, max: ROOM.maxIdleMs }),
  history: fc.boolean(),
  addresses,
  keptForSec: fc.integer({ min: 0, max: ROOM.maxKeptForSec }),
});

function frame(header: unknown, body: Bytes = new Uint8Array(0)): Bytes {
  const json = utf8(typeof header === "string" ? header : JSON.stringify(header));
  return concat(Uint8Array.of(json.length >> 8, json.length & 255), json, body);
}

const decoders: Record<string, (payload: Bytes) => unknown> = {
  "host frame": (payload) => codec.decodeHostFrame(payload),
  "member frame": (payload) => codec.decodeMemberFrame(payload),
  "host note": (payload) => codec.decodeHostNote(payload),
  "member note": (payload) => codec.decodeMemberNote(payload),
  CONFIRM: (payload) => codec.decodeConfirm(payload),
  WELCOME: (payload) => codec.decodeWelcome(payload),
};

const B32 = toBase64url(new Uint8Array(32));
const B64 = toBase64url(new Uint8Array(64));
const ID = toBase64url(new Uint8Array(8));
const KEY = toBase64url(new Uint8Array(32).fill(9));
const PROVED = { key: KEY, box: KEY, proof: B64 };
const SAY = { t: "say", n: 1, prev: B32, view: { seq: 0, chain: B32 }, sig: B64 };
const OWN = { t: "own", seq: 1, ts: 0, n: 1 };
const JOINED = {
  t: "event",
  seq: 1,
  ts: 0,
  event: { kind: "joined", member: { id: ID, name: "ben", ...PROVED, hash: B32 } },
};

describe("frames", () => {
  it("[F1] decode to what was encoded, whatever it was", () => {
    fc.assert(
      fc.property(
        said as fc.Arbitrary<MemberFrame>,
        chatEvent,
        bare,
        fc.record({ hostNote, memberNote, confirm, welcome, text, seq: positive }),
        (say, event, other, { seq, text, ...rest }) => {
          const body = utf8(text);
          // A sealed body is no text to this layer.
          const readable = (message: object): string | undefined => ("seal" in message ? undefined : text);
          expect(codec.decodeMemberFrame(codec.encodeMemberFrame(say, body))).toEqual({
            frame: say,
            body,
            text: readable(say),
          });
          const placed = { t: "event", seq, ts: 5, event } as HostFrame;
          expect(codec.decodeHostFrame(codec.encodeHostFrame(placed, body))).toEqual({
            frame: placed,
            body,
            text: readable(event),
          });
          const bare = { frame: other, body: new Uint8Array(0), text: undefined };
          expect(codec.decodeHostFrame(codec.encodeHostFrame(other))).toEqual(bare);
          expect(codec.decodeHostNote(codec.encodeHostNote(rest.hostNote))).toEqual(rest.hostNote);
          expect(codec.decodeMemberNote(codec.encodeMemberNote(rest.memberNote))).toEqual(rest.memberNote);
          expect(codec.decodeConfirm(codec.encodeConfirm(rest.confirm))).toEqual(rest.confirm);
          expect(codec.decodeWelcome(codec.encodeWelcome(rest.welcome))).toEqual(rest.welcome);
        },
      ),
      { numRuns: 60 },
    );
    expect(codec.decodeMemberFrame(codec.encodeMemberFrame({ t: "leave" }))).toEqual({
      frame: { t: "leave" },
      body: new Uint8Array(0),
      text: undefined,
    });
  });

  it.each(Object.entries(decoders))(
    "[F2] the decoder of a %s is total: a value or protocol-violation",
    (_n, decode) => {
      const some = fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.json().map((json) => frame(json)),
        fc.tuple(fc.json(), fc.uint8Array({ maxLength: 5 })).map(([json, body]) => frame(json, body)),
        fc.constantFrom(SAY, OWN, JOINED).chain((good) =>
          fc.tuple(fc.nat(200), fc.nat(255)).map(([at, value]) => {
            const whole = frame(good);
            whole[at % whole.length] = value;
            return whole;
          }),
        ),
      );
      fc.assert(
        fc.property(some, (payload) => {
          expect([undefined, "protocol-violation"]).toContain(codeOf(() => decode(payload)));
        }),
        { numRuns: 300 },
      );
    },
  );

  it("[F1] reads its base frames, so that the cases below fail for their own reason", () => {
    expect(codec.decodeMemberFrame(frame(SAY, utf8("x"))).text).toBe("x");
    expect(codec.decodeHostFrame(frame(OWN)).frame.t).toBe("own");
    expect(codec.decodeHostFrame(frame(JOINED)).frame.t).toBe("event");
  });

  it.each<[string, unknown]>([
    ["no JSON", "{"],
    ["an array", "[]"],
    ["null", "null"],
    ["an unknown type", { ...SAY, t: "shout" }],
    ["an unknown key", { ...SAY, priority: 1 }],
    ["an unknown key inside", { ...SAY, view: { ...SAY.view, x: 1 } }],
    ["the key __proto__", JSON.stringify(SAY).replace("{", '{"__proto__":{},')],
    ["a missing key", { ...SAY, sig: undefined }],
    ["number 0", { ...SAY, n: 0 }],
    ["a fraction", { ...SAY, n: 1.5 }],
    ["an unsafe integer", { ...SAY, n: 2 ** 53 }],
    ["a number as text", { ...SAY, n: "1" }],
    ["a negative view", { ...SAY, view: { seq: -1, chain: B32 } }],
    ["a reply to nothing", { ...SAY, replyTo: 0 }],
    ["an unknown intent", { ...SAY, intent: "order" }],
    ["nobody to tell", { ...SAY, to: [] }],
    ["a short hash", { ...SAY, prev: B32.slice(1) }],
    ["padded base64url", { ...SAY, sig: `${B64}==` }],
    ["a null", { ...SAY, intent: null }],
  ])("[F2] refuses a header with %s", (_what, header) => {
    expect(codeOf(() => codec.decodeMemberFrame(frame(header, utf8("x"))))).toBe("protocol-violation");
  });

  it.each<[string, Bytes]>([
    ["no header", new Uint8Array(0)],
    ["half a length", Uint8Array.of(0)],
    ["a length beyond its end", Uint8Array.of(0, 3, 0x7b, 0x7d)],
    ["a header that is not UTF-8", Uint8Array.of(0, 2, 0xff, 0xfe)],
  ])("[F1] refuses a frame with %s", (_what, payload) => {
    for (const decode of Object.values(decoders))
      expect(codeOf(() => decode(payload))).toBe("protocol-violation");
  });

  const ARRIVAL = {
    goal: "g",
    self: ID,
    name: "b",
    host: ID,
    members: [],
    received: 0,
    view: SAY.view,
    idleMs: 1,
    history: false,
    addresses: ["wss://a.example"],
    keptForSec: 0,
  };

  it("[U1] refuses an address that is none, and a fifth one", () => {
    for (const bad of ["wss://A.example", "http://a.example", "wss://a.example/", "wss://a.example:0", ""])
      expect(codeOf(() => decoders["host note"]?.(frame({ members: [], addresses: [bad] })))).toBe(
        "protocol-violation",
      );
    const four = ["wss://a.example", "wss://b.example", "ws://10.0.0.1:8", "wss://c.example"];
    expect(codeOf(() => decoders["host note"]?.(frame({ members: [], addresses: four })))).toBeUndefined();
    const five = [...four, "wss://d.example"];
    expect(codeOf(() => decoders["host note"]?.(frame({ members: [], addresses: five })))).toBe(
      "protocol-violation",
    );
  });

  it("[F3] refuses a body where none belongs", () => {
    const body = Uint8Array.of(0x20);
    const bodiless = [
      [decoders["host frame"], OWN],
      [decoders["host frame"], JOINED],
      [decoders["member frame"], { t: "leave" }],
      [decoders["host note"], { members: [] }],
      [decoders["member note"], { read: 0, active: true }],
      [decoders["CONFIRM"], { share: B32, name: "b", ...PROVED, received: 0 }],
      [decoders["WELCOME"], ARRIVAL],
    ] as const;
    for (const [decode, header] of bodiless) {
      expect(codeOf(() => decode?.(frame(header)))).toBeUndefined();
      expect(codeOf(() => decode?.(frame(header, body)))).toBe("protocol-violation");
    }
  });

  it.each<[string, Bytes]>([
    ["empty", new Uint8Array(0)],
    ["blank", utf8(" \n")],
    ["not UTF-8", Uint8Array.of(0xc3, 0x28)],
    ["an escape sequence", utf8("\u001b[2J")],
    ["one byte over 65,536", utf8("x".repeat(65_537))],
  ])("[F4] [T2] refuses text that is %s", (_what, body) => {
    expect(codeOf(() => codec.decodeMemberFrame(frame(SAY, body)))).toBe("protocol-violation");
  });

  it("[F4] takes text of exactly 65,536 bytes, and a byte order mark as the character it is", () => {
    expect(codec.decodeMemberFrame(frame(SAY, utf8("x".repeat(65_536)))).text).toHaveLength(65_536);
    expect(codec.decodeMemberFrame(frame(SAY, utf8("\ufeffx"))).text).toBe("\ufeffx");
  });

  it.each(["", " ben", "be\nn", "x".repeat(65), "\u202eneb"])(
    "[T1] refuses a peer's name %j in every frame",
    (bad) => {
      const event = { kind: "joined", member: { id: ID, name: bad, ...PROVED, hash: B32 } };
      expect(codeOf(() => codec.decodeHostFrame(frame({ ...JOINED, event })))).toBe("protocol-violation");
      const sent = { share: B32, name: bad, ...PROVED, received: 0 };
      expect(codeOf(() => codec.decodeConfirm(frame(sent)))).toBe("protocol-violation");
    },
  );

  it("[F2] refuses a header that does not fit its length field when it is made", () => {
    const to = Array.from({ length: 6000 }, () => memberIdFrom(new Uint8Array(8)));
    const say = {
      t: "say",
      n: 1,
      prev: new Uint8Array(32),
      view: { seq: 0, chain: new Uint8Array(32) },
    } as const;
    expect(() => codec.encodeMemberFrame({ ...say, to, sig: new Uint8Array(64) }, utf8("x"))).toThrow(
      RangeError,
    );
  });
});
