import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import { HostileHost, Victim } from "../hostile-peers/support/host.ts";
import { anyBytes, mutated, oddJson, seeded, spoiled, wireSized } from "../hostile-peers/support/input.ts";
import { Impostor } from "../support/impostor.ts";
import { endOf, guestDid, texts, World } from "../support/wire.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const utf8 = (text: string): Bytes => encodeUtf8(text);
const filler = Buffer.from(new Uint8Array(64).fill(7));
const id = filler.subarray(0, 8).toString("base64url");
const hash = filler.subarray(0, 32).toString("base64url");
const signed = { n: 1, prev: hash, view: { seq: 1, chain: hash }, sig: filler.toString("base64url") };
const proof = filler.toString("base64url");
const wrap = Buffer.from(new Uint8Array(48).fill(7)).toString("base64url");
const digests = { seal: hash, body: hash };
const addressed = { to: [id], seal: { key: hash, commitment: hash, wraps: [wrap] } };
/** What bytes that came under the right key can be refused with. */
const REFUSALS = ["integrity-failed", "protocol-violation", "order-broken", "host-equivocation"];

function framed(json: string, body: Bytes): Bytes {
  const header = utf8(json).subarray(0, 0xffff);
  return concat(Uint8Array.of(header.length >> 8, header.length & 0xff), header, body);
}

/** Payloads that come under the right key and the right number: what an insider sends. */
function insider(...headers: Readonly<Record<string, unknown>>[]): fc.Arbitrary<Bytes> {
  const json = fc.oneof(oddJson, ...headers.map((header) => spoiled(header)));
  const body = fc.oneof(fc.constant(new Uint8Array(0)), fc.constant(utf8("hello")), anyBytes(30));
  return fc.oneof(
    anyBytes(80),
    fc.tuple(json, body).map(([text, rest]) => framed(text, rest)),
  );
}

const frameType = fc.oneof(fc.constantFrom(...Object.values(FRAME)), fc.nat(255));
/** What the wire carries: anything, or a frame sealed as it should be. */
type Step =
  { readonly raw: Bytes } | { readonly type: number; readonly payload: Bytes } | { readonly data: Bytes };
const steps = (payload: fc.Arbitrary<Bytes>): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      payload.map((data) => ({ data })),
      payload.map((data) => ({ data })),
      fc.record({ type: frameType, payload }),
      fc.oneof(wireSized, anyBytes()).map((raw) => ({ raw })),
    ),
    { minLength: 1, maxLength: 5 },
  );

describe("the room", () => {
  const world = new World();
  const ben = world.pair("ben");
  const connection = (): number =>
    world.stranger(`source ${Math.floor(world.now)} ${(count += 1)}`).connection;
  let count = 0;

  it("survives any bytes on a connection that is new, unknown, denied or gone, and lets nobody in", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(wireSized, anyBytes()), { maxLength: 4 }),
        fc.nat(3),
        (messages, state) => {
          const known = connection();
          if (state === 1)
            world.room.handle({ type: "message", connection: known, message: new Uint8Array(1) }, world.now);
          if (state === 2) world.room.handle({ type: "closed", connection: known }, world.now);
          const at = state === 3 ? known + 1_000_000 : known;
          for (const message of messages)
            world.room.handle({ type: "message", connection: at, message }, world.now);
          world.room.handle({ type: "closed", connection: known }, world.now);
          world.settle();
          world.hostEffects.length = 0;
          expect(world.room.presence(world.now)).toHaveLength(2);
        },
      ),
      seeded(41, 100),
    );
    expect(ben.member.connection.name).toBe("connected");
  });

  it("survives anything in the place of CONFIRM, sealed rightly or not, and burns no invite by it", () => {
    const confirm = { share: hash, name: "eve", key: hash, box: hash, proof, received: 0 };
    fc.assert(
      fc.property(insider(confirm), frameType, fc.boolean(), (payload, type, isConfirm) => {
        const room = new World();
        const impostor = new Impostor(room, room.link());
        const codec = { encodeConfirm: () => payload };
        Object.defineProperty(impostor, "codec", { value: codec });
        if (!isConfirm) {
          const put = impostor.put.bind(impostor);
          Object.defineProperty(impostor, "put", { value: () => put(type, payload) });
        }
        impostor.enter();
        room.settle();
        expect(room.hostEntries).toEqual([]);
        expect(room.sentTo(impostor.connection).at(-1)).toHaveLength(1);
        // Also one over a kilobyte, which is refused unread.
        expect(room.room.pendingInvites(room.now)).toMatchObject([{ claimed: false }]);
      }),
      seeded(42, 40),
    );
  });

  it("[G8] survives whatever a member seals, which at worst costs that member its connection", () => {
    const say = { t: "say", ...signed };
    const sealed = { ...say, ...addressed };
    const note = { read: 0, active: true };
    fc.assert(
      fc.property(steps(insider(say, sealed, note, { t: "leave" })), (attack) => {
        const room = new World();
        const honest = room.pair("ben");
        const impostor = new Impostor(room, room.link());
        impostor.enter();
        for (const step of attack) {
          if ("raw" in step) {
            const { connection: at } = impostor;
            room.room.handle({ type: "message", connection: at, message: step.raw }, room.now);
          } else if ("data" in step) impostor.data(step.data);
          else impostor.put(step.type, step.payload);
        }
        room.settle();
        const codes = new Set(room.did("alarm").map(({ error }) => error.code));
        for (const code of codes) expect(REFUSALS).toContain(code);
        room.room.say({ text: "still here" }, room.now);
        room.settle();
        expect(texts(honest.entries)).toEqual(["still here"]);
        expect([honest.member.connection.name, guestDid(honest, "alarm")]).toEqual(["connected", []]);
      }),
      seeded(43, 40),
    );
  });

  it("does nothing at all once it has ended", () => {
    const room = new World();
    const guest = room.pair();
    room.room.end("closed", room.now);
    room.settle();
    fc.assert(
      fc.property(fc.oneof(wireSized, anyBytes()), fc.nat(5), (message, at) => {
        const before = room.hostEffects.length;
        room.room.handle({ type: "opened", connection: at, source: "x" }, room.now);
        room.room.handle({ type: "message", connection: at, message }, room.now);
        room.room.handle({ type: "tick" }, room.now);
        room.settle();
        expect([room.hostEffects.length, endOf(guest)]).toEqual([before, "host"]);
      }),
      seeded(44, 60),
    );
  });
});

describe("a member", () => {
  const CODES = [
    "invite-refused",
    "host-not-authentic",
    "not-a-tunnel",
    "version-unsupported",
    "protocol-violation",
    "order-broken",
  ];

  it("survives any bytes in the place of M1, M3 and M5, and ends or waits with a code", () => {
    const genuine = new World().pair().wire.toGuest;
    const message = fc.oneof(wireSized, anyBytes(), ...genuine.map((one) => mutated(one)));
    fc.assert(
      fc.property(fc.nat(2), fc.array(message, { minLength: 1, maxLength: 3 }), (place, instead) => {
        const world = new World();
        const guest = world.join(world.link());
        guest.tamperToGuest = (honest, at) => (at === place ? instead : [honest]);
        world.settle();
        const { connection } = guest.member;
        expect(guest.entries).toEqual([]);
        if (connection.name === "ended") expect(CODES).toContain(endOf(guest));
        else expect(["waiting", "connecting"]).toContain(connection.name);
      }),
      seeded(45, 40),
    );
  });

  it("survives anything that an authentic host seals in the place of WELCOME", () => {
    const host = new HostileHost();
    const { self } = host;
    const key = Buffer.from(self.key).toString("base64url");
    const box = Buffer.from(self.box).toString("base64url");
    const members = [{ id: self.id, name: self.name, key, box }];
    fc.assert(
      fc.property(fc.gen(), frameType, fc.boolean(), (generate, type, isWelcome) => {
        const victim = new Victim(host, "ben");
        const welcome = { goal: "g", self: victim.id, name: "ben", host: self.id, members, received: 0 };
        const rest = {
          view: { seq: 0, chain: hash },
          idleMs: 1,
          history: false,
          addresses: ["ws://127.0.0.1:1"],
          keptForSec: 600,
        };
        const payload = generate(insider, { ...welcome, ...rest });
        victim.put(isWelcome ? FRAME.welcome : type, payload);
        const { name } = victim.member.connection;
        expect([undefined, ...CODES]).toContain(victim.end);
        expect(["ended", "connected", "waiting"]).toContain(name);
      }),
      seeded(46, 60),
    );
  });

  it("survives whatever its host seals once it is in, and shows nothing that breaks the rules", () => {
    const host = new HostileHost();
    const own = { t: "own", seq: 2, ts: 1, n: 1 };
    const event = { t: "event", seq: 2, ts: 1, event: { kind: "idle-warning", endsInMs: 1 } };
    const member = { id, name: "x", key: hash, box: hash, hash, proof };
    const joined = { ...event, event: { kind: "joined", member } };
    const left = { ...event, event: { kind: "left", id, cause: "left" } };
    const chat = { ...event, event: { kind: "chat", from: id, ...signed } };
    const sealed = { ...event, event: { kind: "chat", from: id, ...signed, ...addressed } };
    const withheld = { ...event, event: { kind: "withheld", from: id, ...signed, to: [id], digests } };
    const returned = { ...event, event: { kind: "returned" } };
    const note = { members: [{ id, connected: true, heardAgoMs: 1, read: 2 }] };
    fc.assert(
      fc.property(
        steps(insider(own, event, joined, left, chat, sealed, withheld, returned, note)),
        (attack) => {
          const victim = host.session("ben");
          for (const step of attack) {
            if ("raw" in step) victim.give(step.raw);
            else if ("data" in step) victim.data(step.data);
            else victim.put(step.type, step.payload);
            if (victim.end !== undefined) break;
          }
          expect([undefined, "host", "removal", ...REFUSALS]).toContain(victim.end);
          for (const code of victim.alarms) expect(REFUSALS).toContain(code);
          // Nobody here can sign, so nothing that was said can be there.
          expect(victim.entries.filter(({ kind }) => kind === "chat")).toEqual([]);
          let next = 1;
          for (const entry of victim.entries) {
            const isReturn = entry.kind === "system" && entry.event === "returned";
            // A return alone may skip places (O12).
            if (isReturn) expect(entry.seq).toBeGreaterThanOrEqual(next);
            else expect(entry.seq).toBe(next);
            next = entry.seq + 1;
          }
          expect(victim.member.presence(host.now).length).toBeLessThanOrEqual(64);
        },
      ),
      seeded(47, 60),
    );
  });

  it("[O1] keeps no more members and no more of the order than a room may have, whatever its host tells it", () => {
    const host = new HostileHost();
    const victim = host.session("ben");
    for (let turn = 0; turn < 70 && victim.end === undefined; turn += 1) {
      const { record } = new Victim(host, `guest ${turn}`);
      victim.tell({ kind: "joined", member: record });
    }
    expect(victim.end).toBe("order-broken");
    expect(victim.member.membership?.order.members).toHaveLength(64);
  });

  it("[D4] takes no frame twice and none out of order, whatever numbers its host puts on them", () => {
    const number = fc.constantFrom(0, 1, 2, 3, 4, 9, Number.MAX_SAFE_INTEGER);
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 8 }), (frames) => {
        const host = new HostileHost();
        const victim = host.session("ben");
        for (const [seq, ack] of frames) {
          if (victim.end !== undefined) break;
          const place = victim.view.seq + 1;
          const event = {
            t: "event",
            seq: place,
            ts: 1,
            event: { kind: "idle-warning", endsInMs: 1 },
          } as const;
          victim.put(FRAME.data, concat(u64be(seq), u64be(ack), host.codec.encodeHostFrame(event)));
        }
        expect(victim.log.slice(1).every((text) => text === "idle-warning")).toBe(true);
        expect(victim.log.length).toBeLessThanOrEqual(1 + frames.length);
        expect([undefined, "protocol-violation", "order-broken"]).toContain(victim.end);
      }),
      seeded(48, 30),
    );
  });
});
