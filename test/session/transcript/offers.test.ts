import { describe, expect, it } from "vitest";
import { toBase64url, toHex } from "../../../src/protocol/base/bytes.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { encodeOffer, type FileOffer } from "../../../src/protocol/files/offer.ts";
import {
  parseTranscript,
  toJson,
  type TranscriptDocument,
} from "../../../src/session/transcript/document.ts";
import { redactedIn } from "../../../src/session/transcript/export.ts";
import { describedOffer, offerText } from "../../../src/session/transcript/offer-text.ts";
import { toMarkdown } from "../../../src/session/transcript/markdown.ts";
import { verifyTranscript } from "../../../src/session/transcript/verify.ts";
import { LINK, mutations, reread, resigned, transcriptOf, type Json } from "../../support/transcripts.ts";
import { treeOf } from "../../support/files/trees.ts";
import { nodePrimitives, World, type Guest } from "../../support/wire.ts";

const offerOf = (name: string, more: Partial<FileOffer> = {}): FileOffer => ({
  id: nodePrimitives.random(16),
  key: nodePrimitives.random(32),
  name,
  size: 12_345,
  hash: nodePrimitives.random(32),
  ...more,
});

/** A room of three: one file for all, one for the host alone, one of the host. */
function sharing() {
  const world = new World();
  const ben = world.pair("ben");
  const cid = world.pair("cid");
  const offers = {
    all: offerOf("`orders`.csv", {
      note: `see ${LINK}\n# done`,
      patch: { files: 1, insertions: 2, deletions: 3 },
    }),
    alone: offerOf("for ana alone.txt"),
    own: offerOf(`#1.${"k".repeat(43)}`),
  };
  const said = (offer: FileOffer) => ({ text: encodeOffer(offer), what: "file" as const });
  ben.member.say(said(offers.all), world.now);
  world.settle();
  ben.member.say({ ...said(offers.alone), to: [world.room.self] }, world.now);
  world.settle();
  world.room.say(said(offers.own), world.now);
  world.settle();
  return { world, ben, cid, offers };
}

const everybody = ({ world, ben, cid }: ReturnType<typeof sharing>): readonly TranscriptDocument[] =>
  (["host", ben, cid] satisfies (Guest | "host")[]).map((who) => transcriptOf(world, who));

const secrets = (offers: Readonly<Record<string, FileOffer>>): string[] =>
  Object.values(offers).flatMap(({ key }) => [
    toBase64url(key),
    toHex(key),
    Buffer.from(key).toString("base64"),
  ]);

describe("a transcript in which files were offered", () => {
  it("[J4] holds no key of a file, in neither form, whoever exports it", () => {
    const scene = sharing();
    for (const document of everybody(scene)) {
      const texts = [toJson(document), toMarkdown(document)];
      for (const text of texts) {
        for (const secret of secrets(scene.offers)) expect(text).not.toContain(secret);
        expect(text).not.toMatch(/"key\\?":\s*\\?"[\w-]{43}\\?",\s*\\?"name/);
        expect(text).not.toContain(LINK.slice(-20));
      }
    }
  });

  it("[J3] [J4] still verifies, with each offer in its place", () => {
    const scene = sharing();
    const [host, ben, cid] = everybody(scene).map((one) => verifyTranscript(nodePrimitives, reread(one)));
    for (const verdict of [host, ben, cid]) expect(verdict).toMatchObject({ ok: true, isAsExported: true });
    const statuses = [host, ben, cid].map((one) => one?.entries.slice(-3).map(({ status }) => status));
    expect(statuses).toEqual([
      ["redacted", "redacted", "redacted"],
      ["redacted", "redacted", "redacted"],
      // What was not for somebody has no text in its transcript.
      ["redacted", "hidden", "redacted"],
    ]);
    expect(everybody(scene).map(redactedIn)).toEqual([0, 0, 0]);
  });

  it("[J4] tells name, size, hash and id, and the note without its link", () => {
    const { world, offers } = sharing();
    const markdown = toMarkdown(reread(transcriptOf(world, "host")));
    expect(markdown).toContain("> offers the file `orders`.csv\n> 12345 bytes, SHA-256 ");
    expect(markdown).toContain(`SHA-256 ${toHex(offers.all.hash)}, id ${toBase64url(offers.all.id)}\n`);
    expect(markdown).toContain("> see [tunnel link removed]\n> # done");
    expect(markdown).toContain("the key of the offer removed, so the text shown is not what was signed");
    expect(markdown).toContain("> offers the file [tunnel link removed]\n");
    expect(markdown).toContain("> offers the file for ana alone.txt\n");
  });

  it("[J3] is refused after a change of its signed parts, also by its exporter", () => {
    const { world, ben } = sharing();
    const document = transcriptOf(world, ben);
    const at = document.entries.findIndex((entry) => entry.kind === "message");
    const json = JSON.parse(toJson(document)) as { entries: Json[] };
    const accepted: string[] = [];
    for (const [path, changed] of mutations(json.entries[at] ?? null)) {
      const text = JSON.stringify({ ...json, entries: json.entries.with(at, changed) });
      if (isAccepted(text, (one) => resigned(world, ben, one))) accepted.push(path);
    }
    expect(accepted).toEqual([".-text", ".text"]);
  });

  it("shows no key that another program has left in it", () => {
    const { world, offers } = sharing();
    const document = transcriptOf(world, "host");
    const entries = document.entries.map((entry) => {
      if (entry.kind !== "message" || entry.signed.to !== undefined || entry.text === undefined) return entry;
      const offer = Object.values(offers).find(({ id }) => entry.text?.includes(toBase64url(id)));
      const { redacted: _, ...rest } = entry;
      return { ...rest, text: offer === undefined ? "" : encodeOffer(offer) };
    });
    const whole = resigned(world, "host", { ...document, entries });
    expect(toJson(whole)).toContain(toBase64url(offers.all.key));
    expect(verifyTranscript(nodePrimitives, whole)).toMatchObject({ ok: true });
    for (const secret of secrets(offers)) expect(toMarkdown(whole)).not.toContain(secret);
    const strange = entries.map((entry) =>
      entry.kind === "message" ? { ...entry, text: `{"key":"${toBase64url(offers.all.key)}"}` } : entry,
    );
    const shown = toMarkdown({ ...document, entries: strange });
    expect(shown).toContain("_It offers something, in a form that is not read here._");
    for (const secret of secrets(offers)) expect(shown).not.toContain(secret);
  });
});

function isAccepted(json: string, repair: (document: TranscriptDocument) => TranscriptDocument): boolean {
  const parsed = parsedOrNot(json);
  return parsed !== undefined && verifyTranscript(nodePrimitives, repair(parsed)).ok;
}

function parsedOrNot(json: string): TranscriptDocument | undefined {
  try {
    return parseTranscript(json);
  } catch (error) {
    if (error instanceof TunnelError) return undefined;
    throw error;
  }
}

describe("the offer of a folder in a transcript", () => {
  const { offer } = treeOf({ "a.txt": "one", "b/c.txt": "two" });

  it("[J4] names what went, without its key", () => {
    const text = offerText(offer);
    expect(text).not.toContain(toBase64url(offer.key));
    expect(describedOffer(text)?.split("\n").slice(2)).toEqual([
      "it holds 2 files of 6 bytes:",
      "- a.txt (3 bytes)",
      "- b/c.txt (3 bytes)",
    ]);
  });
});
