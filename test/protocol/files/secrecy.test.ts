import { describe, expect, it } from "vitest";
import { toHex, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { encodeOffer } from "../../../src/protocol/files/offer.ts";
import { chunksOf, contentOf, inShort, offerOf, streamsOf } from "../../support/streaming.ts";
import { nodePrimitives, World } from "../../support/wire.ts";
import { askFor, give } from "../../support/file-words.ts";

const content = contentOf(300_000);
const salt = new Uint8Array(32).fill(4);
const MUCH = 1_000_000;

describe("[B2] [O10] (P14) a file for some", () => {
  /** Everything that the host opens itself: all that it could know beyond what is said to it. */
  function watchedHost() {
    const opened: Bytes[] = [];
    let isHost = false;
    const noted = (bytes: Bytes | undefined): Bytes | undefined => {
      if (isHost && bytes !== undefined) opened.push(bytes);
      return bytes;
    };
    const world = new World(
      {},
      {
        ...nodePrimitives,
        secretboxOpen: (...input) => noted(nodePrimitives.secretboxOpen(...input)),
        chachaOpen: (...input) => noted(nodePrimitives.chachaOpen(...input)),
      },
    );
    const { room } = world;
    const handle = room.handle.bind(room);
    room.handle = (input, now) => {
      isHost = true;
      handle(input, now);
      isHost = false;
    };
    return { world, opened };
  }

  it.each([true, false])(
    "is closed to the host that carries it (for some: %s), and to the wire in any case",
    (isForSome) => {
      const { world, opened } = watchedHost();
      const [ben, cid] = [world.pair("ben"), world.pair("cid")];
      const name = "quarterly-numbers-of-the-north.xlsx";
      const note = "nobody else is to see the numbers of the north";
      const secret = offerOf(content, { name, note });
      const to = isForSome ? { to: [cid.member.self] } : {};
      ben.member.say({ text: encodeOffer(secret), what: "file", ...to }, world.now);
      world.settle();
      askFor(cid.member, { file: secret.id, owner: ben.member.self, offset: 0, credit: MUCH }, world.now);
      world.settle();
      for (const chunk of chunksOf(secret, content, { salt, stream: 2 })) give(ben.member, chunk, world.now);
      world.settle();
      expect(inShort(streamsOf(cid)).at(-1)).toBe("chunk 260096 final");
      const host = Buffer.concat(opened);
      const wire = Buffer.concat(
        [ben, cid].flatMap((guest) => [...guest.wire.toHost, ...guest.wire.toGuest]),
      );
      const forms = (bytes: Bytes): (Buffer | string)[] => [
        Buffer.from(bytes),
        Buffer.from(bytes).toString("base64url"),
        toHex(bytes),
      ];
      const secrets = [name, note, `"size":${content.length}`, ...[secret.key, secret.hash].flatMap(forms)];
      expect(secrets.filter((one) => wire.includes(one))).toEqual([]);
      expect(wire.includes(Buffer.from(content.subarray(5_000, 5_032)))).toBe(false);
      expect(host.includes(Buffer.from(content.subarray(5_000, 5_032)))).toBe(false);
      // The host reads an offer to everybody as well, so this can fail.
      expect(secrets.some((one) => host.includes(one))).toBe(!isForSome);
      expect(world.hostEntries.some(({ kind }) => kind === "file")).toBe(!isForSome);
    },
  );
});
