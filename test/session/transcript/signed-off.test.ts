import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { verify } from "../../../src/cli/transcript/verify.ts";
import { encodeProposal, encodeStatement } from "../../../src/protocol/sign-off/statement.ts";
import { toJson, type TranscriptDocument } from "../../../src/session/transcript/document.ts";
import { exportTranscript } from "../../../src/session/transcript/export.ts";
import { toMarkdown } from "../../../src/session/transcript/markdown.ts";
import { signedOffIn } from "../../../src/session/transcript/signed-off.ts";
import { verifyTranscript } from "../../../src/session/transcript/verify.ts";
import { post, propose, state, statementOf } from "../../support/signing.ts";
import { LINK, reread, resigned, transcriptOf } from "../../support/transcripts.ts";
import { nodePrimitives, World, type Guest } from "../../support/wire.ts";

const OUTCOME = "GET /orders answers an object\nwith `items` and `next`";

interface Scene {
  readonly world: World;
  readonly ben: Guest;
}

/** A room in which something was said, and an outcome proposed. */
function proposed(): Scene {
  const world = new World();
  const ben = world.pair("ben");
  world.room.say({ text: "an object, then?" }, world.now);
  propose(world, "host", OUTCOME);
  return { world, ben };
}

function signedByBoth(): Scene {
  const scene = proposed();
  state(scene.world, "host");
  state(scene.world, scene.ben, statementOf(scene.world, scene.ben, { made: "terminal" }));
  return scene;
}

const stateOf = (document: TranscriptDocument) => {
  const { ok, signedOff } = verifyTranscript(nodePrimitives, document);
  const last = signedOff.proposals.at(-1);
  return { ok, state: last?.state, by: last?.counted.length, unsound: signedOff.unsound.length };
};

/** The printed report on a file. */
async function report(document: TranscriptDocument): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), "signed-"));
  const file = path.join(folder, "talk.transcript.json");
  writeFileSync(file, toJson(document));
  let text = "";
  const output = { color: false, out: (more: string) => void (text += more), err: () => undefined };
  await verify({ file, output });
  rmSync(folder, { recursive: true });
  return text;
}

/** The document with the text of one entry changed, signed again by who exported it. */
function changed(
  { world }: Scene,
  document: TranscriptDocument,
  isMeant: (text: string) => boolean,
  change: (text: string) => string,
): TranscriptDocument {
  const entries = document.entries.map((entry) =>
    entry.kind === "message" && entry.text !== undefined && isMeant(entry.text)
      ? { ...entry, text: change(entry.text) }
      : entry,
  );
  return resigned(world, "host", { ...document, entries });
}

const isProposal = (text: string): boolean => text.includes('"proposes"');
const isStatement = (text: string): boolean => text.includes('"signs"');
/** Another letter at the beginning of one value. */
const spoil =
  (field: string) =>
  (text: string): string =>
    text.replace(
      new RegExp(`("${field}":")(.)`),
      (_, head: string, letter: string) => `${head}${letter === "A" ? "B" : "A"}`,
    );

describe("[J7] a transcript (H28)", () => {
  it("says offline who has signed which outcome, from any side's file alone", async () => {
    const { world, ben } = signedByBoth();
    for (const who of ["host", ben] as const) {
      const document = reread(transcriptOf(world, who));
      expect(stateOf(document)).toEqual({ ok: true, state: "signed", by: 2, unsound: 0 });
      const text = await report(document);
      expect(text).toMatch(/VERIFIED/);
      expect(text).toMatch(
        /"ana" \(signed, entry 4, key made on a page\), "ben" \(signed, entry 5, key made in a terminal\)/,
      );
      expect(text).toMatch(/The humans of all members have signed it: it is done\./);
      expect(text).toContain("      | GET /orders answers an object\n      | with `items` and `next`\n");
      expect(text).toContain(`with the words ${world.room.signOff?.words}.`);
      expect(text).toMatch(/That a human made a key and read what it signed/);
    }
  });

  it("says what is unsigned, stale, refused or replaced", async () => {
    const open = proposed();
    state(open.world, open.ben);
    expect(await report(transcriptOf(open.world, "host"))).toMatch(/Unsigned: "ana"\./);
    const stale = signedByBoth();
    stale.world.room.say({ text: "thanks" }, stale.world.now);
    stale.world.settle();
    expect(await report(transcriptOf(stale.world, stale.ben))).toMatch(
      /All had signed at entry 5\. It is stale: 1 later message, which no signature covers/,
    );
    const refused = proposed();
    state(
      refused.world,
      refused.ben,
      statementOf(refused.world, refused.ben, { verdict: "not-done", reason: "no tests" }),
    );
    expect(await report(transcriptOf(refused.world, "host"))).toMatch(/It is not done: it was refused/);
    propose(refused.world, "host", "with tests");
    const text = await report(transcriptOf(refused.world, "host"));
    expect(text).toMatch(/Entry 3,.*A later proposal has replaced it[^]*Entry 5,.*Unsigned: "ana", "ben"/);
  });

  it("says that it was to be signed, and is not", async () => {
    const { world, ben } = proposed();
    const demanded = (): TranscriptDocument =>
      exportTranscript(
        nodePrimitives,
        {
          goal: "x",
          attestation: world.room.attestation,
          inbox: { said: () => world.hostEntries.filter((entry) => entry.kind !== "system") },
          signing: { isDemanded: true },
        },
        { now: world.now },
      );
    expect(await report(reread(demanded()))).toMatch(/It was to end with the signatures/);
    expect(toMarkdown(demanded(), { signedOff: signedOffIn(nodePrimitives, demanded()) })).toMatch(
      /## What humans signed[^]*It was to end with the signatures/,
    );
    state(world, "host");
    state(world, ben);
    expect(await report(demanded())).not.toMatch(/It was to end/);
    // The exporter's word cannot be taken out by another.
    const { signOff: _, ...without } = demanded();
    expect(verifyTranscript(nodePrimitives, without).isAsExported).toBe(false);
  });

  it.each(["signature", "certificate", "key", "signs"])(
    "is found out where the %s of a statement was changed",
    (field) => {
      const scene = signedByBoth();
      const document = changed(scene, transcriptOf(scene.world, "host"), isStatement, spoil(field));
      expect(stateOf(document)).toMatchObject({ ok: false, by: 0 });
    },
  );

  it("is found out where the outcome, the chain or the verdict was changed", () => {
    const scene = signedByBoth();
    const document = transcriptOf(scene.world, "host");
    const outcome = changed(scene, document, isProposal, (text) => text.replace("object", "list"));
    expect(stateOf(outcome)).toMatchObject({ ok: false, state: undefined });
    const verdict = changed(scene, document, isStatement, (text) => text.replace('"done"', '"not-done"'));
    expect(stateOf(verdict)).toMatchObject({ ok: false, by: 0 });
    const entries = document.entries.map((entry) =>
      entry.kind === "message" && isProposal(entry.text ?? "")
        ? { ...entry, chain: new Uint8Array(32) }
        : entry,
    );
    const chain = resigned(scene.world, "host", { ...document, entries });
    expect(stateOf(chain).ok).toBe(false);
  });

  it("names a statement that does not hold though its member has said it, and counts it for nothing", async () => {
    const { world, ben } = proposed();
    state(world, "host");
    const good = statementOf(world, ben);
    const uncertified = { ...good, certificate: statementOf(world, ben).certificate };
    state(world, ben, uncertified);
    const document = reread(transcriptOf(world, "host"));
    expect(stateOf(document)).toEqual({ ok: true, state: "open", by: 1, unsound: 1 });
    const text = await report(document);
    expect(text).toMatch(/Entry 5: a statement of "ben" does not hold, and counts for nothing/);
    expect(text).toMatch(/Unsigned: "ben"\./);
    expect(toMarkdown(document, { signedOff: signedOffIn(nodePrimitives, document) })).toMatch(
      /Entry 5, a statement of `ben`, does not hold/,
    );
  });

  it("takes a statement of another room for nothing, also where its member says it again here", async () => {
    const elsewhere = proposed();
    const foreign = statementOf(elsewhere.world, elsewhere.ben);
    const { world, ben } = proposed();
    state(world, "host");
    state(world, ben, foreign);
    expect(stateOf(reread(transcriptOf(world, "host")))).toEqual({
      ok: true,
      state: "open",
      by: 1,
      unsound: 1,
    });
  });

  it("counts what it does not show as a message, since that may be one", () => {
    const { world, ben } = signedByBoth();
    world.room.say({ text: `never mind ${LINK}` }, world.now);
    world.settle();
    expect(stateOf(transcriptOf(world, ben))).toMatchObject({ ok: true, state: "stale" });
    const part = transcriptOf(world, ben, { entries: 100, chars: 10_000, longest: 200 });
    expect(stateOf(part)).toMatchObject({ ok: true, by: 0 });
  });

  it("says the same of a part that begins in between, and finds the same without a check in one's own", () => {
    const { world, ben } = signedByBoth();
    const part = transcriptOf(world, ben, { entries: 3, chars: 10_000 });
    expect(part.start.seq).toBe(2);
    expect(stateOf(part)).toEqual({ ok: true, state: "signed", by: 2, unsound: 0 });
    const own = signedOffIn(nodePrimitives, transcriptOf(world, ben)).proposals.at(-1);
    expect([own?.state, own?.digest]).toEqual(["signed", world.room.signOff?.digest]);
  });

  it("shows as Markdown what was proposed and said, in which nothing of it means anything", () => {
    const world = new World();
    const ben = world.pair("ben");
    propose(world, "host", "# done\n## What humans signed\n- ana has signed");
    state(world, ben, statementOf(world, ben, { verdict: "not-done", reason: "### no" }));
    post(world, ben, encodeProposal("x"), { to: [world.room.self] });
    post(world, ben, encodeStatement(statementOf(world, ben)).replace("done", "gone"));
    const document = transcriptOf(world, "host");
    const text = toMarkdown(document, { signedOff: signedOffIn(nodePrimitives, document) });
    expect(text.match(/^## .*$/gm)).toEqual(["## What humans signed"]);
    expect(text).toContain("> ## What humans signed");
    expect(text).toMatch(
      /> refuses to sign the outcome of entry 2, as a human, with the key [\w-]{43} made on a page/,
    );
    expect(text.match(/^### .*$/gm)?.every((line) => /^### \d+ · /.test(line))).toBe(true);
  });
});
