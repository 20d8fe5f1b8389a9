import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toBase64url } from "../../../src/protocol/base/bytes.ts";
import { roomIdFrom } from "../../../src/protocol/base/ids.ts";
import { parseBoxKey } from "../../../src/protocol/base/public-keys.ts";
import { dialUrl, formatLink, parseLink } from "../../../src/protocol/handshake/invite-link.ts";
import { codeOf } from "../../support/thrown.ts";
import { guestDid, World } from "../../support/wire.ts";

const ROOM = "AAECAwQFBgcICQoLDA0ODw";
const KEY = "A".repeat(43);
const HOST_KEY = `${"B".repeat(42)}A`;
const GOOD = `wss://calm-red-fox.trycloudflare.com/t/${ROOM}#1.${KEY}.${HOST_KEY}`;

describe("invite link", () => {
  it("[L1] says what it was made of, whatever that was", () => {
    const origin = fc.constantFrom(
      "wss://a.example",
      "ws://127.0.0.1:8080",
      "ws://[::1]:65535",
      "wss://localhost",
      "wss://x-1.y2.example:1",
    );
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const hostKey = key.filter((bytes) => parseBoxKey(toBase64url(bytes)) !== undefined);
    const room = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(roomIdFrom);
    fc.assert(
      fc.property(fc.record({ origin, room, key, hostKey }), (link) => {
        expect(parseLink(formatLink(link))).toEqual(link);
        expect(formatLink(parseLink(formatLink(link)))).toBe(formatLink(link));
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["a sentence", "please join my tunnel"],
    ["https", GOOD.replace("wss:", "https:")],
    ["an upper-case scheme", GOOD.replace("wss:", "WSS:")],
    ["an upper-case host", GOOD.replace("calm", "Calm")],
    ["no host", GOOD.replace("calm-red-fox.trycloudflare.com", "")],
    ["a user in front of the host", GOOD.replace("calm", "me@calm")],
    ["a host that begins with a dot", GOOD.replace("calm", ".calm")],
    ["a host label that ends with a hyphen", GOOD.replace("fox.", "fox-.")],
    ["a label of 64 characters", GOOD.replace("calm-red-fox", "a".repeat(64))],
    ["letters beyond ASCII in the host", GOOD.replace("calm", "cälm")],
    ["a trailing dot", GOOD.replace(".com/", ".com./")],
    ["port 0", GOOD.replace(".com/", ".com:0/")],
    ["a port with a leading zero", GOOD.replace(".com/", ".com:0443/")],
    ["port 65536", GOOD.replace(".com/", ".com:65536/")],
    ["an empty port", GOOD.replace(".com/", ".com:/")],
    ["an IPv6 address without brackets", GOOD.replace("calm-red-fox.trycloudflare.com", "::1")],
    ["a zone in an IPv6 address", GOOD.replace("calm-red-fox.trycloudflare.com", "[fe80::1%25eth0]")],
    ["another path", GOOD.replace("/t/", "/j/")],
    ["a path in front", GOOD.replace("/t/", "/a/t/")],
    ["a path behind the room", GOOD.replace("#", "/#")],
    ["a query", GOOD.replace("#", "?x=1#")],
    ["a short room", GOOD.replace(ROOM, ROOM.slice(1))],
    ["a long room", GOOD.replace(ROOM, `${ROOM}A`)],
    ["a room with non-zero trailing bits", GOOD.replace(ROOM, `${ROOM.slice(0, -1)}x`)],
    ["percent signs", GOOD.replace("#", "%23")],
    ["no fragment", GOOD.slice(0, GOOD.indexOf("#"))],
    ["an empty fragment", GOOD.slice(0, GOOD.indexOf("#") + 1)],
    ["no version", GOOD.replace("#1.", "#")],
    ["an empty version", GOOD.replace("#1.", "#.")],
    ["a version that is no number", GOOD.replace("#1.", "#one.")],
    ["a truncated host key", GOOD.slice(0, -1)],
    ["no host key", GOOD.slice(0, GOOD.lastIndexOf("."))],
    ["a truncated key", GOOD.replace(`.${KEY}.`, `.${KEY.slice(1)}.`)],
    ["padding", `${GOOD}=`],
    ["something behind it", `${GOOD}.x`],
    ["a second fragment", `${GOOD}#x`],
    ["host key bits beyond 256", `${GOOD.slice(0, -1)}_`],
    ["a line break inside", GOOD.replace(`.${KEY}`, `.\n${KEY}`)],
    ["more than 512 characters", GOOD.replace("calm", `${"a.".repeat(250)}calm`)],
  ])("[L1] refuses %s", (_what, text) => {
    expect(codeOf(() => parseLink(text))).toBe("link-malformed");
  });

  it.each(["<%>", " %\n", "`%`", '"%"', "'%'", "<%"])(
    "[L2] ignores what chat puts around it: %s",
    (around) => {
      expect(formatLink(parseLink(around.replace("%", GOOD)))).toBe(GOOD);
    },
  );

  it.each(["0", "2", "10", "999"])("[L2] names a version it does not know: %s", (version) => {
    expect(codeOf(() => parseLink(GOOD.replace("#1.", `#${version}.`)))).toBe("link-version");
  });

  it("[L1] never fails otherwise than by saying so", () => {
    fc.assert(
      fc.property(fc.nat(GOOD.length - 1), fc.string({ unit: "binary", maxLength: 3 }), (at, inserted) => {
        const text = GOOD.slice(0, at) + inserted + GOOD.slice(at + 1);
        expect(["link-malformed", "link-version", undefined]).toContain(codeOf(() => parseLink(text)));
      }),
      { numRuns: 150 },
    );
  });

  it("[L3] dials without the fragment, and no part of it crosses the wire", () => {
    const world = new World();
    const link = world.link();
    const url = dialUrl(link.origin, link.room);
    expect(url).toBe(`ws://127.0.0.1:1/t/${world.room.id}`);
    const guest = world.join(link);
    world.settle();
    expect(guestDid(guest, "joined")).toHaveLength(1);
    const crossed = Buffer.concat([...guest.wire.toHost, ...guest.wire.toGuest]);
    for (const secret of [link.key, link.hostKey]) {
      const found = [secret, Buffer.from(secret).toString("base64url"), Buffer.from(secret).toString("hex")];
      for (const form of found) expect(crossed.includes(Buffer.from(form))).toBe(false);
    }
  });
});
