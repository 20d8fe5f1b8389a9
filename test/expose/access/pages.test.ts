import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { valuesOf, type OwnAnswer } from "../../../src/expose/message.ts";
import { Door, field } from "./visitor.ts";

const page = (name = "port-3000"): OwnAnswer => new Door({ name }).answer({ target: "/.tunnel/claim" });
const refused = (): OwnAnswer => new Door().answer({ fields: ["Accept", "text/html"] });

/** Texts of the elements of a name that may hold anything. */
function textsOf({ body }: OwnAnswer, element: string): readonly string[] {
  return [...body.matchAll(new RegExp(`<${element}>(.*?)</${element}>`, "gs"))].map(([, text = ""]) => text);
}

/** Every element is closed by itself, in order; void ones never. */
function isBalanced({ body }: OwnAnswer): boolean {
  const outside = body.replace(/<(script|style)>.*?<\/\1>/gs, "").replace("<!doctype html>", "");
  const open: string[] = [];
  for (const [, close, name = ""] of outside.matchAll(/<(\/?)([a-z0-9]+)(?:\s[^<>]*)?>/g)) {
    if (name === "meta") continue;
    if (close === "") open.push(name);
    else if (open.pop() !== name) return false;
  }
  const rest = outside.replace(/<\/?[a-z0-9]+(?:\s[^<>]*)?>/g, "");
  return open.length === 0 && !/[<>]/.test(rest);
}

describe.each([
  ["of a claim", page, 200],
  ["of a refusal", refused, 401],
] as const)("the page %s", (_, make, status) => {
  it("is a whole page of HTML", () => {
    const answer = make();
    expect(answer.status).toBe(status);
    expect(field(answer, "content-type")).toBe("text/html; charset=utf-8");
    expect(answer.body).toMatch(/^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">/);
    expect(answer.body).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
    expect(textsOf(answer, "title")).toHaveLength(1);
    expect(isBalanced(answer)).toBe(true);
  });

  it("runs and looks as the policy has it by hash, and loads nothing", () => {
    const answer = make();
    const policy = field(answer, "content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    const texts = [...textsOf(answer, "script"), ...textsOf(answer, "style")];
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts)
      expect(policy).toContain(`'sha256-${createHash("sha256").update(text).digest("base64")}'`);
    expect(answer.body).not.toMatch(/\s(?:src|style|on[a-z]+)=|https?:|url\(|@import/);
  });

  it("is framed, indexed, kept and referred to by nobody", () => {
    const answer = make();
    expect(field(answer, "x-frame-options")).toBe("DENY");
    expect(field(answer, "content-security-policy")).toContain("frame-ancestors 'none'");
    expect(field(answer, "referrer-policy")).toBe("no-referrer");
    expect(field(answer, "cache-control")).toBe("no-store");
    expect(field(answer, "x-robots-tag")).toBe("noindex, nofollow");
  });

  it("looks right in the dark", () => {
    expect(make().body).toContain("prefers-color-scheme: dark");
  });
});

describe("the page of a claim", () => {
  it("shows the name of the exposure as text, whatever is in it", () => {
    const answer = page(`<img src=x onerror=alert(1)>&"'</title><script>`);
    expect(answer.body).toContain(
      "&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;&lt;/title&gt;&lt;script&gt;",
    );
    expect(answer.body).not.toContain("<img");
    expect(textsOf(answer, "script")).toHaveLength(1);
  });

  it("sends nothing by itself: the script posts when the button is pressed, and only there", () => {
    const [script = ""] = textsOf(page(), "script");
    expect(script.match(/fetch\(/g)).toHaveLength(1);
    expect(script.indexOf("fetch(")).toBeGreaterThan(script.indexOf('addEventListener("click"'));
    expect(page().body).not.toContain("<form");
  });

  it("shows its button by script alone, and says without script what is missing", () => {
    expect(page().body).toMatch(/<div id="deed" hidden>\n<p[^<]*<\/p>\n<button /);
    expect(textsOf(page(), "noscript").join()).toContain("needs JavaScript");
  });

  it("is the same for everybody and for every link: it holds no secret", () => {
    const door = new Door();
    const [secret = ""] = door.secrets;
    const answer = door.answer({ target: `/.tunnel/claim?utm_source=${secret}` });
    expect(answer).toEqual(page());
    expect(JSON.stringify(answer)).not.toContain(secret);
    expect(valuesOf(answer.fields ?? [], "set-cookie")).toEqual([]);
  });
});
