import { describe, expect, it } from "vitest";
import { concat, u32be, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import { FileIntake } from "../../src/protocol/files/receiver.ts";
import { FILE } from "../../src/protocol/base/limits.ts";
import { BULK_OVERHEAD_BYTES, FRAME, RecordLayer } from "../../src/protocol/record/record.ts";
import { Streams } from "../../src/protocol/link/streams.ts";
import { settle } from "../support/fake-tunnel-clock.ts";
import { FileScene, MemorySink, outcomeOf } from "../support/files/file-ends.ts";
import { memberIdFromText } from "./support.ts";
import { contentOf, offerOf } from "../support/streaming.ts";
import { codeOf } from "../support/thrown.ts";
import { flipBit, nodePrimitives, World } from "../support/wire.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";
import { askFor, frameOf, give } from "../support/file-words.ts";

/** Weak places that a transfer can have, each with what must hold there. */

const ben = memberIdFromText("ben");
const eve = memberIdFromText("eve");
const EMPTY = new Uint8Array(0);

describe("weak places: records", () => {
  function ends(): { left: RecordLayer; right: RecordLayer } {
    const secret = (value: number): Bytes => new Uint8Array(32).fill(value);
    return {
      left: new RecordLayer(nodePrimitives, { send: secret(1), receive: secret(2) }, 0),
      right: new RecordLayer(nodePrimitives, { send: secret(2), receive: secret(1) }, 0),
    };
  }
  const bulk = { header: new Uint8Array(4), chunk: new Uint8Array(256 - BULK_OVERHEAD_BYTES) };

  it("[R4] [R7] after a record that does not open, no bulk message opens either", () => {
    const { left, right } = ends();
    const [note = EMPTY] = left.seal({ type: FRAME.note, payload: EMPTY }, 0);
    const [message = EMPTY] = left.sealBulk(bulk, 0);
    expect(codeOf(() => right.open(flipBit(note, 99), 0))).toBe("integrity-failed");
    expect(codeOf(() => right.openBulk(message))).toBe("integrity-failed");
  });

  it("[R4] [R7] after a bulk message that does not open, no record opens either", () => {
    const { left, right } = ends();
    const [message = EMPTY] = left.sealBulk(bulk, 0);
    const [note = EMPTY] = left.seal({ type: FRAME.note, payload: EMPTY }, 0);
    expect(codeOf(() => right.openBulk(flipBit(message, 99)))).toBe("integrity-failed");
    expect(codeOf(() => right.open(note, 0))).toBe("integrity-failed");
  });
});

describe("weak places: streams", () => {
  it("[S3] a chunk of stream 0, which nobody can open, is a violation at the host as any other", () => {
    expect(codeOf(() => new Streams("host").received(0, 256))).toBe("protocol-violation");
  });
});

describe("weak places: chunks", () => {
  const content = contentOf(131_000);
  const offer = offerOf(content);
  const salt = new Uint8Array(32);
  const craft = (padded: Bytes, final: boolean): Bytes => {
    const key = nodePrimitives.hkdfSha256(offer.key, salt, encodeUtf8("tunnel-mcp/1 file stream"), 32);
    const flags = Uint8Array.of(final ? 1 : 0);
    const lp = [offer.id, u64be(0), flags].flatMap((field) => [u32be(field.length), field]);
    const nonce = concat(new Uint8Array(11), flags);
    return nodePrimitives.chachaSeal(key, nonce, padded, concat(...lp));
  };
  const taken = (padded: Bytes, final: boolean): string | undefined => {
    const intake = new FileIntake(nodePrimitives, offer);
    intake.start(salt);
    return codeOf(() => intake.take({ offset: 0, final, sealed: craft(padded, final) }));
  };

  it("[B2] a chunk of more than 130,048 bytes of content is refused", () => {
    const room = 131_072 - BULK_OVERHEAD_BYTES - 16 - 4;
    expect(taken(concat(u32be(131_000), content, new Uint8Array(room - 131_000)), true)).toBe("file-corrupt");
  });

  it("[B2] a chunk whose filling is not zeros is refused: nothing rides along unread", () => {
    const filling = new Uint8Array(256 - BULK_OVERHEAD_BYTES - 16 - 4 - 10).fill(7);
    expect(taken(concat(u32be(10), content.subarray(0, 10), filling), false)).toBe("file-corrupt");
  });
});

describe("weak places: the files of a session", () => {
  const content = contentOf(5_500);

  it("[S4] lets 3 MiB come at most in all, also where earlier streams have stopped moving", async () => {
    const scene = new FileScene(ben);
    const large = contentOf(4_000_000);
    for (let turn = 0; turn < FILE.maxOpened; turn += 1) {
      const offer = offerOf(large);
      await scene.receive(offer, ben, `/${turn}`);
      // Fast for so long, then nothing more.
      await scene.serve(offer, large, { count: 8, piece: FILE.chunkBytes });
    }
    const open = scene.port.requests.map(({ stream }) => scene.port.granted(stream) - 8 * 131_072);
    expect(open.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(FILE.windowTotalBytes);
  });

  it("a transfer stalls after a minute without a byte, whoever comes and goes or reads meanwhile", async () => {
    const scene = new FileScene(ben);
    const { download } = await scene.receive(offerOf(content), ben);
    for (let turn = 0; turn < 20; turn += 1) {
      await scene.clock.advance(30_000);
      // What every change of presence at the host, and every NOTE at a member, leads to.
      scene.files.rosterChanged();
    }
    expect(outcomeOf(download)).toBe("file-stalled");
  });

  it("[B5] where all are busy, a receiver does not ask again with every NOTE", async () => {
    const scene = new FileScene(ben);
    await scene.receive(offerOf(content), ben);
    for (let turn = 0; turn < 100; turn += 1) {
      const { stream = 0 } = scene.port.requests.at(-1) ?? {};
      scene.happened({ t: "stop", stream, reason: "busy" });
      await scene.clock.advance(25);
      scene.files.rosterChanged();
      await settle();
    }
    // Two and a half seconds: 100, 200, 400, 800 ms between them.
    expect(scene.port.requests.length).toBeLessThan(15);
  });

  it("at most four files come at once, also when they are asked for at the same moment", async () => {
    const scene = new FileScene(ben);
    const ids = Array.from({ length: 8 }, () => scene.hears(offerOf(content), ben));
    const sink = async (): Promise<MemorySink> => {
      await settle();
      return new MemorySink();
    };
    await Promise.allSettled(ids.map((id) => scene.files.receive(id, `/${id}`, sink)));
    expect(scene.files.downloads.length).toBeLessThanOrEqual(FILE.maxOpened);
    await scene.files.end();
  });

  it("a tunnel that ends while the place of a file is being made leaves nothing open", async () => {
    const scene = new FileScene(ben);
    const sink = new MemorySink();
    let made = (): void => undefined;
    const gate = new Promise<void>((resolve) => (made = resolve));
    const asked = scene.files.receive(scene.hears(offerOf(content), ben), "/x", async () => {
      await gate;
      return sink;
    });
    const outcome = asked.then(outcomeOf, () => "refused");
    await scene.files.end();
    made();
    await outcome;
    await settle();
    expect([sink.state, scene.clock.waiting, scene.port.requests.length]).toEqual(["aborted", 0, 0]);
  });

  it("nobody can put another file in the place of one that somebody else has offered", () => {
    const scene = new FileScene(ben);
    const offer = offerOf(content);
    const fileId = scene.hears(offer, ben);
    // Everybody in the room sees the id of an offer to all.
    scene.hears(offerOf(contentOf(10), { id: offer.id }), eve);
    expect(scene.files.find(fileId).entry).toMatchObject({ from: ben, offer });
  });
});

describe("weak places: the life of a room", () => {
  it("[G3] a room in which a file of the host's comes does not end as idle in the middle of it", () => {
    const world = new World();
    const guest = world.pair();
    const { self: owner } = world.room;
    askFor(guest.member, { file: new Uint8Array(16), owner, offset: 0, credit: 1_000 }, world.now);
    world.settle();
    const sealed = nodePrimitives.random(226);
    for (let minute = 0; minute < 45; minute += 1) {
      give(world.room, { stream: 1, offset: minute, final: false, sealed }, world.now);
      guest.member.stream(frameOf({ t: "credit", stream: 1, bytes: 256 }), world.now);
      world.advance(60_000);
    }
    // As one of a member's does, whose chunks count as activity.
    expect(world.room.ended).toBeUndefined();
  });
});
