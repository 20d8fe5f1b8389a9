import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("../scripts/picture.mjs", import.meta.url));
const picture = readFileSync(new URL("../docs/session.svg", import.meta.url), "utf8");

describe("the picture in README.md", () => {
  it("shows what a session of two servers answers now", () => {
    const output = execFileSync(process.execPath, [script, "--check"], { encoding: "utf8", stdio: "pipe" });
    expect(output).toContain("up to date");
  });

  it("holds no link, address, key, id or folder of the session that it was drawn from", () => {
    const shown = [...picture.matchAll(/>([^<>]+)<\/(?:text|desc)>/g)].map(([, text]) => text).join("\n");
    expect(shown).toContain("Does GET /orders return a bare");
    expect(shown).not.toMatch(/:\/\/|127\.0\.0\.1|#\d\.|tunnel-picture|[\w-]{22,}/);
  });

  it("runs no script, fetches nothing and stays small", () => {
    expect(picture).not.toMatch(/<script|<foreignObject|\bon\w+=|href|url\(|@import|<!ENTITY/i);
    expect(picture.length).toBeLessThan(60 * 1024);
  });

  it("can be read out, and stands still and complete for who wants no motion", () => {
    expect(picture).toMatch(/<svg [^>]*role="img" aria-labelledby="title desc"/);
    const [, told = ""] = /<desc id="desc">(.*)<\/desc>/.exec(picture) ?? [];
    for (const tool of ["open", "join", "say", "listen", "share", "receive", "close"])
      expect(told).toContain(`tunnel_${tool}`);
    expect(picture).toContain("@media (prefers-reduced-motion:reduce){.turn{animation:none}}");
    // Hidden by the animation alone: without it, nothing is.
    expect(picture.match(/opacity:0|visibility|display:none/g)).toEqual(["opacity:0"]);
    expect(picture).toContain("@media (prefers-color-scheme:dark)");
  });
});
