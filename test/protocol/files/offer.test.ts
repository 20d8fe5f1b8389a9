import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toBase64url } from "../../../src/protocol/base/bytes.ts";
import { FILE } from "../../../src/protocol/base/limits.ts";
import { decodeOffer, encodeOffer, isFileName, type FileOffer } from "../../../src/protocol/files/offer.ts";
import { oddJson, oddText, seeded, spoiled } from "../../hostile-peers/support/input.ts";
import { World } from "../../support/wire.ts";

const whole: FileOffer = {
  id: new Uint8Array(16).fill(1),
  key: new Uint8Array(32).fill(2),
  name: "report 2026.csv",
  size: 12,
  hash: new Uint8Array(32).fill(3),
  note: "as discussed\n\tsee the second sheet",
  patch: { base: "a".repeat(40), files: 1, insertions: 0, deletions: 2 },
};
const fields = (): Record<string, unknown> => JSON.parse(encodeOffer(whole)) as Record<string, unknown>;

describe("the name of a file", () => {
  it.each([
    "a",
    ".env",
    "..gitignore",
    "...",
    "report (final).pdf",
    "naïve façade.txt",
    "你好.md",
    "🐙.png",
    "CON",
    "a:b",
    "x".repeat(255),
    "é".repeat(127),
  ])("[T4] may be %j", (name) => {
    expect(isFileName(name)).toBe(true);
  });

  it.each([
    ["empty", ""],
    ["a blank", " "],
    ["this folder", "."],
    ["the folder above", ".."],
    ["a path", "a/b"],
    ["an absolute path", "/etc/passwd"],
    ["a path that leads out", "../secret"],
    ["a path of Windows", "a\\b"],
    ["a slash alone", "/"],
    ["ended by a newline", "a\n"],
    ["of two lines", "a\nb"],
    ["with NUL", "a\0b"],
    ["with an escape sequence", "a\u001b[31mb"],
    ["with DEL", "a\u007f"],
    ["with a C1 control", "a\u0085b"],
    ["turned around", "gpj.\u202eexe"],
    ["isolated", "a\u2066b\u2069"],
    ["marked right to left", "a\u200fb"],
    ["with a space of no width", "a\u200bb"],
    ["with a byte order mark", "\ufeffa"],
    ["with a soft hyphen", "a\u00adb"],
    ["a Hangul filler", "\u3164"],
    ["a blank Braille pattern", "\u2800"],
    ["with a line separator", "a\u2028b"],
    ["with a private character", "a\ue000"],
    ["with a lone surrogate", "a\ud800"],
    ["with a space in front", " a"],
    ["with a space behind", "a "],
    ["with a variation selector", "a\ufe0f"],
    ["of 256 bytes", "x".repeat(256)],
    ["of 256 bytes in 128 letters", "é".repeat(128)],
    ["of 256 bytes in 64 signs", "🐙".repeat(64)],
  ])("[T4] [T1] may not be %s", (_what, name) => {
    expect(isFileName(name)).toBe(false);
    expect(decodeOffer(encodeOffer({ ...whole, name }))).toBeUndefined();
  });
});

describe("an offer", () => {
  it("[B1] comes out as it went in, with and without what may be left out", () => {
    const { note: _note, patch: _patch, ...bare } = whole;
    for (const offer of [whole, bare, { ...whole, size: 0 }, { ...whole, size: FILE.maxBytes }])
      expect(decodeOffer(encodeOffer(offer))).toEqual(offer);
    const sha256 = { ...whole, patch: { base: "0".repeat(64), files: 0, insertions: 0, deletions: 0 } };
    expect(decodeOffer(encodeOffer(sha256))).toEqual(sha256);
  });

  it.each<[string, Record<string, unknown>]>([
    ["a short id", { id: toBase64url(new Uint8Array(15)) }],
    ["a long id", { id: toBase64url(new Uint8Array(17)) }],
    ["an id with padding", { id: `${toBase64url(new Uint8Array(16))}==` }],
    ["a key of 31 bytes", { key: toBase64url(new Uint8Array(31)) }],
    ["no key", { key: undefined }],
    ["a hash in hexadecimal", { hash: "00".repeat(32) }],
    ["a size below nothing", { size: -1 }],
    ["a size with a fraction", { size: 1.5 }],
    ["a size as text", { size: "12" }],
    ["more than a tebibyte", { size: 2 ** 40 + 1 }],
    ["an empty note", { note: "" }],
    ["a blank note", { note: " \n" }],
    ["a note of 501 characters", { note: "x".repeat(501) }],
    ["a note with an escape", { note: "a\u001b[2J" }],
    ["a key too many", { path: "/tmp" }],
    ["a base that is no commit", { patch: { ...whole.patch, base: "main" } }],
    ["a base in capitals", { patch: { ...whole.patch, base: "A".repeat(40) } }],
    ["a base of two lines", { patch: { ...whole.patch, base: `${"a".repeat(40)}\n` } }],
    ["a patch with a key too many", { patch: { ...whole.patch, note: "x" } }],
    ["a patch without its facts", { patch: {} }],
    ["null for a note", { note: null }],
  ])("[B1] with %s is none", (_what, change) => {
    expect(decodeOffer(JSON.stringify({ ...fields(), ...change }))).toBeUndefined();
    expect(decodeOffer(JSON.stringify(fields()))).toEqual(whole);
  });

  it("[B1] [T2] counts a note in characters, and may have lines", () => {
    const offer = { ...whole, note: "🐙".repeat(500) };
    expect(decodeOffer(encodeOffer(offer))).toEqual(offer);
    expect(decodeOffer(encodeOffer({ ...whole, note: "🐙".repeat(501) }))).toBeUndefined();
  });

  it("[B1] is read from any text, or refused: nothing throws, and what is read is whole", () => {
    const text = fc.oneof(oddText, oddJson, spoiled(fields()), spoiled({ ...fields(), patch: undefined }));
    fc.assert(
      fc.property(text, (json) => {
        const offer = decodeOffer(json);
        if (offer === undefined) return;
        expect([offer.id.length, offer.key.length, offer.hash.length]).toEqual([16, 32, 32]);
        expect(isFileName(offer.name)).toBe(true);
        expect(offer.size >= 0 && offer.size <= FILE.maxBytes).toBe(true);
        expect(decodeOffer(encodeOffer(offer))).toEqual(offer);
      }),
      seeded(77, 400),
    );
  });

  it("[B1] is placed like a message and read by all; a malformed one is unreadable and changes nothing else", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    ben.member.say({ text: encodeOffer(whole), what: "file" }, world.now);
    ben.member.say({ text: '{"name":"../x"}', what: "file" }, world.now);
    ben.member.say({ text: "after" }, world.now);
    world.settle();
    for (const entries of [world.hostEntries, cid.entries]) {
      const said = entries.filter(({ kind }) => kind !== "system");
      expect(said).toMatchObject([
        { kind: "file", own: false, fromName: "ben", offer: whole },
        { text: "after" },
      ]);
      expect((said[1]?.seq ?? 0) - (said[0]?.seq ?? 0)).toBe(2);
    }
    expect(ben.entries.filter(({ kind }) => kind === "file")).toMatchObject([{ own: true, offer: whole }]);
    expect(world.did("alarm").map(({ error }) => error.code)).toEqual(["offer-unreadable"]);
    expect([ben, cid].map(({ member }) => member.connection.name)).toEqual(["connected", "connected"]);
  });

  it("[B1] is shown to nobody under the id of another one, of whomever that was, the host's own included", () => {
    const world = new World();
    const [ben, cid, dan] = [world.pair("ben"), world.pair("cid"), world.pair("dan")];
    const under = (id: number, name: string) => ({
      text: encodeOffer({ ...whole, id: new Uint8Array(16).fill(id), name }),
      what: "file" as const,
    });
    ben.member.say(under(1, "of ben"), world.now);
    world.settle();
    world.room.say(under(2, "of ana"), world.now);
    world.settle();
    cid.member.say(under(1, "of cid"), world.now);
    cid.member.say(under(2, "of cid"), world.now);
    ben.member.say(under(1, "of ben again"), world.now);
    world.settle();
    for (const entries of [world.hostEntries, dan.entries]) {
      const files = entries.flatMap((entry) => (entry.kind === "file" ? [entry.offer.name] : []));
      expect(files).toEqual(["of ben", "of ana"]);
    }
    const codes = world.did("alarm").map(({ error }) => error.code);
    expect(codes).toEqual(["offer-unreadable", "offer-unreadable", "offer-unreadable"]);
    expect([ben, cid, dan].map(({ member }) => member.connection.name)).toEqual(Array(3).fill("connected"));
  });
});
