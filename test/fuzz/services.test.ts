import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConnectionOpener, ConnectionSealer } from "../../src/protocol/services/connection.ts";
import {
  decodeServiceOffer,
  decodeWithdrawal,
  encodeServiceOffer,
} from "../../src/protocol/services/offer.ts";
import { decodePortRequest, encodePortRequest } from "../../src/protocol/services/stream.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { anyBytes, oddJson, seeded, spoiled } from "../hostile-peers/support/input.ts";
import { memberIdFromText } from "../session/support.ts";
import { codeOf } from "../support/thrown.ts";

const offer = { id: new Uint8Array(16).fill(1), key: new Uint8Array(32).fill(2) };
const ends = { taker: memberIdFromText("AAAAAAAAAAA"), owner: memberIdFromText("BBBBBBBBBBB") };
const salts = [new Uint8Array(32).fill(3), new Uint8Array(32).fill(4)] as const;
const whole = JSON.parse(encodeServiceOffer({ ...offer, service: "tcp", name: "x", port: 1 })) as Record<
  string,
  unknown
>;

describe("what a peer sends about services", () => {
  it("[X1] [X2] is an offer, a withdrawal, or nothing: whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(spoiled(whole), oddJson, fc.string()), (text) => {
        const found = decodeServiceOffer(text);
        if (found !== undefined) expect(JSON.parse(encodeServiceOffer(found))).toEqual(JSON.parse(text));
        const ended = decodeWithdrawal(text);
        if (ended !== undefined) expect(ended).toHaveLength(16);
      }),
      seeded(181, 500),
    );
  });

  it("[X3] is a request that was made for this offer and these two, or none", () => {
    const good = encodePortRequest(nodePrimitives, offer, ends, {
      ask: "connect",
      service: offer.id,
      salt: salts[0],
      origin: "http://127.1.2.3:4",
    });
    expect(decodePortRequest(good)?.isBy(nodePrimitives, offer, ends)).toBe(true);
    fc.assert(
      fc.property(anyBytes(), (bytes) => {
        expect(decodePortRequest(bytes)?.isBy(nodePrimitives, offer, ends) ?? false).toBe(false);
      }),
      seeded(182, 300),
    );
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = good.slice();
        changed[at] = (changed[at] ?? 0) ^ change;
        expect(decodePortRequest(changed)?.isBy(nodePrimitives, offer, ends) ?? false).toBe(false);
      }),
      seeded(183, 300),
    );
  });

  it("[X4] is the next chunk of its direction, or ends the connection with one code", () => {
    fc.assert(
      fc.property(fc.array(anyBytes(), { minLength: 1, maxLength: 5 }), fc.boolean(), (pieces, isSealed) => {
        const opener = new ConnectionOpener(nodePrimitives, { offer, salts }, "to-owner");
        for (const bytes of pieces)
          expect(codeOf(() => opener.take({ bytes, isSealed }))).toBe("service-corrupt");
      }),
      seeded(184, 200),
    );
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 5_000 }), { maxLength: 6 }), (pieces) => {
        const sealer = new ConnectionSealer(nodePrimitives, { offer, salts }, "to-owner");
        const opener = new ConnectionOpener(nodePrimitives, { offer, salts }, "to-owner");
        for (const piece of pieces) {
          const { bytes } = sealer.seal(piece);
          expect(Buffer.from(opener.take({ bytes, isSealed: true })).equals(piece)).toBe(true);
          expect(codeOf(() => opener.take({ bytes, isSealed: true }))).toBe("service-corrupt");
        }
      }),
      seeded(185, 100),
    );
  });
});
