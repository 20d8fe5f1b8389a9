import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isText } from "../../../src/protocol/base/text.ts";
import { parseTranscript, toJson } from "../../../src/session/transcript/document.ts";
import { toMarkdown, visible } from "../../../src/session/transcript/markdown.ts";
import { verifyTranscript } from "../../../src/session/transcript/verify.ts";
import { HIDDEN, HONEST, stillHidden } from "../../support/hidden.ts";
import { conversation, resigned, transcriptOf } from "../../support/transcripts.ts";
import { nodePrimitives, World } from "../../support/wire.ts";

/** A transcript in which a member of this name has said this. */
function rendered(text: string, name = "ben", frame?: (text: string) => string): string {
  const world = new World();
  const ben = world.pair(name);
  ben.member.say({ text }, world.now);
  world.settle();
  return toMarkdown(transcriptOf(world, "host"), frame === undefined ? {} : { frame });
}

/** Everything that Markdown may take for structure: lines outside of quotations. */
const outside = (markdown: string): string[] => markdown.split("\n").filter((line) => !line.startsWith("> "));

describe("a transcript in Markdown", () => {
  it("[J5] keeps every line of a peer in a quotation, and there as code that nothing in it can end", () => {
    const plain = outside(rendered("hi")).length;
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            "\n",
            "```",
            "````",
            "> ",
            "# ",
            "### 9 · `ana`",
            "<img src=x>",
            "\t",
            "a",
            " ",
            "~~~",
            "\u2028",
          ),
          { minLength: 1, maxLength: 12 },
        ),
        (parts) => {
          const text = parts.join("");
          fc.pre(isText(text));
          const markdown = rendered(text);
          expect(outside(markdown)).toHaveLength(plain);
          const quotation = markdown.split("\n").filter((line) => line.startsWith("> "));
          const [first = "", last = ""] = [quotation.at(0), quotation.at(-1)];
          const fence = /^> (`{3,})text$/.exec(first)?.[1] ?? "";
          expect(last).toBe(`> ${fence}`);
          expect(quotation.slice(1, -1).some((line) => line.includes(fence))).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("[J5] shows names as code, whatever they are", () => {
    const name = "`x` ## [a](b)";
    const markdown = rendered("hi", name);
    expect(markdown).toContain("### 2 · `` `x` ## [a](b) ``");
  });

  it("[J5] names what cannot be seen or turns the direction round, and leaves scripts and emoji alone", () => {
    expect(visible("pay\u202Eeno\u2028\u{e0041}\u0007\u200bx")).toBe(
      "pay⟨U+202E⟩eno⟨U+2028⟩⟨U+E0041⟩⟨U+0007⟩⟨U+200B⟩x",
    );
    const fine = "👩‍👩‍👧 می‌خواهم ✌️ naïve\n\tx";
    expect(visible(fine)).toBe(fine);
  });

  it.each(HONEST)("[J5] leaves honest text whole: %s", (_what, text) => {
    expect(visible(text)).toBe(text);
  });

  it.each(HIDDEN)("[J5] names what only hides, in its place: %s", (_what, _kind, text, shown, count) => {
    const seen = visible(text);
    expect(seen).not.toMatch(stillHidden);
    expect(seen.match(/⟨U\+[0-9A-F]{4,6}⟩/g)).toHaveLength(count);
    expect(seen.replaceAll(/⟨U\+[0-9A-F]{4,6}⟩/g, "")).toBe(shown.replaceAll("\n", ""));
  });

  it("has nothing hidden for a model to read, marked as little as raw, also where its own side said it", () => {
    const text = "a\u{e0041}\u202eb";
    expect(rendered(text, "ben", (said) => said)).toContain("> ab\n");
    const { world, ben } = conversation();
    ben.member.say({ text }, world.now);
    world.settle();
    expect(toMarkdown(transcriptOf(world, ben), { frame: (said) => said })).toContain("> ab\n");
    expect(toMarkdown(transcriptOf(world, ben))).toContain("> a⟨U+E0041⟩⟨U+202E⟩b\n");
  });

  it("as JSON holds what hides as escapes, and is the same document", () => {
    const { world, ben } = conversation();
    ben.member.say({ text: "a\u{e0041}\u202eb\u2028" }, world.now);
    world.settle();
    const document = transcriptOf(world, ben);
    const json = toJson(document);
    expect(json).not.toMatch(stillHidden);
    expect(parseTranscript(json)).toEqual(document);
    expect(verifyTranscript(nodePrimitives, parseTranscript(json)).ok).toBe(true);
  });

  it("frames what others say for a model, and not what its own side said", () => {
    const { world, ben } = conversation();
    const markdown = toMarkdown(transcriptOf(world, ben), { frame: (text) => `<<${text}>>` });
    expect(markdown).toContain("> <<Which shape has GET /orders?>>");
    expect(markdown).toContain("> An object with a cursor.");
  });

  it("tells what is not there: texts for others, what came before, and what is not right", () => {
    const { world, cid } = conversation();
    const document = transcriptOf(world, cid);
    const markdown = toMarkdown(document, { more: " Ask for more." });
    expect(markdown).toContain("_It was not for the member who exported this._");
    expect(markdown).toContain("_What happened before entry 4 is not in it. Ask for more._");
    expect(markdown).not.toContain("Checked");
    const verdict = verifyTranscript(nodePrimitives, document);
    expect(toMarkdown(document, { verdict })).toContain("**Checked: it is as it was exported");
    const shorter = { ...document, entries: document.entries.filter(({ seq }) => seq !== 6) };
    const broken = verifyTranscript(nodePrimitives, resigned(world, cid, shorter));
    const warned = toMarkdown(shorter, { verdict: broken });
    expect(warned).toContain("**NOT VERIFIED: entry 6 is missing; what is broken is marked below.**");
    expect(warned).toContain("**BROKEN: what came before it is missing.**");
  });
});
