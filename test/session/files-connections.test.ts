import { describe, expect, it } from "vitest";
import { CreditWindow } from "../../src/protocol/link/credit.ts";
import { FILE } from "../../src/protocol/base/limits.ts";
import { decodeOffer } from "../../src/protocol/files/offer.ts";
import { FILES } from "../../src/session/files/files.ts";
import { settle } from "../support/fake-tunnel-clock.ts";
import { FileScene, MemorySource, outcomeOf } from "../support/files/file-ends.ts";
import { chunksOf, contentOf, offerOf } from "../support/streaming.ts";
import { nodePrimitives } from "../support/wire.ts";
import { memberIdFromText } from "./support.ts";

/** Transfers over several connections, and senders that want to keep a place. */

const [ben, eve] = [memberIdFromText("ben"), memberIdFromText("eve")];

const firstRequest = (scene: FileScene, at = 0) => {
  const request = scene.port.requests.at(at);
  if (request === undefined) throw new Error("nothing was asked for");
  return request;
};

describe("credit after a cut", () => {
  it("[S4] begins with a whole number, whatever the rate was", () => {
    for (let step = 1; step < 400; step += 7) {
      const window = new CreditWindow(0);
      window.begin(0, FILE.windowTotalBytes);
      let now = 0;
      for (let turn = 0; turn < 30; turn += 1) window.taken(131_072, (now += step), FILE.windowTotalBytes);
      expect(Number.isInteger(window.begin(now + 1_000, FILE.windowTotalBytes))).toBe(true);
    }
  });

  it("[S4] [B5] is asked for as a whole number by a transfer that goes on", async () => {
    const scene = new FileScene(ben);
    const content = contentOf(6_000_000);
    const offer = offerOf(content);
    await scene.receive(offer, ben);
    const { stream } = firstRequest(scene);
    const salt = nodePrimitives.random(32);
    scene.happened({ t: "start", stream, salt });
    for (const chunk of chunksOf(offer, content, { salt, stream }).slice(0, 20)) {
      await scene.clock.advance(137);
      scene.happened({ t: "chunk", ...chunk });
      await settle();
    }
    scene.happened({ t: "stop", stream, reason: "away" });
    await scene.clock.advance(1_000);
    expect(scene.port.requests.length).toBeGreaterThan(1);
    expect(Number.isInteger(firstRequest(scene, -1).credit)).toBe(true);
    await scene.files.end();
  });
});

describe("[S2] stream numbers on the next connection", () => {
  it("an old serve that ends late does not end the new one of the same number", async () => {
    const scene = new FileScene(ben);
    const content = contentOf(5_000_000);
    const source = new MemorySource(content);
    let release = (): void => undefined;
    const real = source.read.bind(source);
    let first = true;
    source.read = async (offset, length) => {
      if (first) {
        first = false;
        await new Promise<void>((resolve) => (release = resolve));
      }
      return real(offset, length);
    };
    await scene.files.share(source, { name: "a.csv" });
    const offer = decodeOffer(scene.said.at(-1)?.text ?? "");
    if (offer === undefined) throw new Error("nothing was offered");
    scene.port.credit = 0;
    scene.happened({ t: "open", stream: 2, file: offer.id, who: ben, offset: 0, credit: 1 });
    await settle();
    // The connection is cut while the disk works (member.#endStreams), and comes back; the host asks again, as stream 2.
    scene.happened({ t: "stop", stream: 2, reason: "away" });
    await settle();
    scene.happened({ t: "open", stream: 2, file: offer.id, who: ben, offset: 0, credit: 1 });
    await settle();
    expect(scene.files.serving).toHaveLength(1);
    release();
    for (let i = 0; i < 10; i++) await settle();
    expect(scene.files.serving).toHaveLength(1);
    scene.port.credit = Number.POSITIVE_INFINITY;
    scene.happened({ t: "credit", stream: 2, bytes: 10_000_000 });
    for (let i = 0; i < 60; i++) await settle();
    expect(scene.port.chunks.at(-1)?.final).toBe(true);
  });

  it("two downloads: chunks of the new stream 1 go to whoever asked for it", async () => {
    const scene = new FileScene(ben);
    let last = -1;
    scene.port.nextStream = () => {
      last += 2;
      return last;
    };
    const [a, b] = [contentOf(50_000), contentOf(60_000)];
    const [oa, ob] = [offerOf(a), offerOf(b)];
    const A = await scene.receive(oa, ben, "/a");
    const B = await scene.receive(ob, ben, "/b");
    // A's disk is slow.
    let free = (): void => undefined;
    A.sink.gate = new Promise<void>((resolve) => (free = resolve));
    const salt = nodePrimitives.random(32);
    scene.happened({ t: "start", stream: 1, salt });
    for (const chunk of chunksOf(oa, a, { salt, stream: 1, piece: 1000 }).slice(0, 2)) {
      scene.happened({ t: "chunk", ...chunk });
      await settle();
    }
    // Cut: as Member.#endStreams tells it; numbers begin anew.
    last = -1;
    scene.happened({ t: "stop", stream: 1, reason: "away" });
    scene.happened({ t: "stop", stream: 3, reason: "away" });
    await settle();
    await scene.clock.advance(5_000);
    const again = firstRequest(scene, -1);
    expect(again.file).toEqual(ob.id);
    const salt2 = nodePrimitives.random(32);
    scene.happened({ t: "start", stream: again.stream, salt: salt2 });
    for (const chunk of chunksOf(ob, b, { salt: salt2, stream: again.stream, piece: 10_000 })) {
      scene.happened({ t: "chunk", ...chunk });
      await settle();
    }
    free();
    for (let i = 0; i < 10; i++) await settle();
    await scene.clock.advance(70_000);
    expect(outcomeOf(B.download)).toBe("done");
  });
});

describe("who has an id", () => {
  it("an id that was heard first from ben stays ben's, however many offers eve makes", () => {
    const scene = new FileScene(ben);
    const offer = offerOf(contentOf(10));
    const id = scene.hears(offer, ben);
    for (let i = 0; i < FILES.maxOffers; i++) scene.hears(offerOf(contentOf(1)), eve);
    // eve saw ben's id (offer to all) and offers other content under it.
    scene.hears({ ...offerOf(contentOf(99)), id: offer.id }, eve);
    expect(scene.files.find(id).entry).toMatchObject({ from: ben, offer });
  });
});

describe("a place that is kept", () => {
  it("a sender that is always busy does not hold a place for ever", async () => {
    const scene = new FileScene(ben);
    const { download } = await scene.receive(offerOf(contentOf(10)), ben);
    for (let i = 0; i < 2000 && download.state.name === "receiving"; i++) {
      scene.happened({ t: "stop", stream: firstRequest(scene, -1).stream, reason: "busy" });
      await scene.clock.advance(5_100);
    }
    expect(outcomeOf(download)).toBe("file-stalled");
  });

  it("what a notice has told of is begun anew when it is asked for again", async () => {
    const scene = new FileScene(ben);
    const { download } = await scene.receive(offerOf(contentOf(10)), ben, "/x");
    download.attend(false);
    scene.happened({ t: "stop", stream: firstRequest(scene).stream, reason: "gone" });
    await download.over;
    expect(outcomeOf(download)).toBe("file-gone");
    expect(scene.files.current(download.fileId, "/x")).toBeUndefined();
  });

  it("who opens and stops without end has a few blocks read at once, not one for each", async () => {
    const scene = new FileScene(ben);
    const source = new MemorySource(contentOf(3_000_000));
    let reading = 0;
    let most = 0;
    const read = source.read.bind(source);
    source.read = async (offset, length) => {
      reading += 1;
      most = Math.max(most, reading);
      await settle();
      reading -= 1;
      return read(offset, length);
    };
    await scene.files.share(source, { name: "a.csv" });
    const offer = decodeOffer(scene.said.at(-1)?.text ?? "");
    if (offer === undefined) throw new Error("nothing was offered");
    for (let stream = 1; stream < 900; stream += 1) {
      scene.happened({ t: "open", stream, file: offer.id, who: ben, offset: 0, credit: 1 });
      scene.happened({ t: "stop", stream, reason: "cancelled" });
    }
    for (let turn = 0; turn < 20; turn += 1) await settle();
    expect(most).toBeLessThanOrEqual(8);
    expect([reading, scene.files.serving.length]).toEqual([0, 0]);
  });
});
