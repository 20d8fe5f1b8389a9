import { posix } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isOpenTo, parseOpenPath } from "../../../src/expose/access/open-paths.ts";
import { codeOf, thrownBy } from "../../support/thrown.ts";

const opens = (path: string, method: string, target: string): boolean =>
  isOpenTo([parseOpenPath(path)], method, target);

describe("an open path is written as a method and a path", () => {
  it.each([
    ["POST /hooks/*", "POST /hooks/*"],
    ["post /hooks/stripe", "POST /hooks/stripe"],
    ["  GET,post   /a ", "GET,POST /a"],
    ["* /all/*", "* /all/*"],
    ["GET /caf\u00e9/%e2%82%ac", "GET /caf%C3%A9/%E2%82%AC"],
    ["GET /*", "GET /*"],
    ["PROPFIND /dav/*", "PROPFIND /dav/*"],
  ])("%s", (text, shown) => {
    expect(parseOpenPath(text).text).toBe(shown);
    expect(parseOpenPath(shown).text).toBe(shown);
  });

  it.each([
    "",
    "/hooks/*",
    "POST",
    "POST hooks",
    "POST /a /b",
    "POST /a*b",
    "POST /a/**",
    "POST /a?b=1",
    "POST /a#b",
    String.raw`POST /a\b`,
    "POST /a/../b",
    "POST /a/%2e%2e/*",
    "POST /a/%252e%252e/*",
    "POST /a/%zz",
    "POST /a%00",
    "POST /a%c0%ae",
    "P@ST /a",
    "POST, /a",
    "CONNECT /a",
    "TRACE /a",
    "POST /.tunnel/claim",
    "* /.tunnel",
    "POST /a\u202eb",
    "POST /\ud800",
  ])("refuses %j", (text) => {
    expect(codeOf(() => parseOpenPath(text))).toBe("expose-path-invalid");
  });

  it("does not repeat in the error what was given", () => {
    expect(thrownBy(() => parseOpenPath("POST hunter2")).message).not.toContain("hunter2");
  });
});

describe("an open path opens", () => {
  it.each([
    ["POST /hooks/*", "POST", "/hooks/stripe"],
    ["POST /hooks/*", "POST", "/hooks/"],
    ["POST /hooks/*", "POST", "/hooks/a/b?x=/../y"],
    ["POST /hooks/*", "POST", "/hooks/a%2Fb"],
    ["POST /hooks/*", "POST", "/hooks/100%25"],
    ["POST /hooks/*", "POST", "/hooks/a;v=1"],
    ["POST /hooks/*", "POST", "/hooks/a..b/.hidden"],
    ["POST /hook", "POST", "/hook"],
    ["POST /hook", "POST", "/hook?again=1"],
    ["GET /caf\u00e9/*", "GET", "/caf%c3%a9/menu"],
    ["GET /feed", "HEAD", "/feed"],
    ["GET,POST /both", "POST", "/both"],
    ["* /any", "DELETE", "/any"],
    ["GET /v*", "GET", "/v2/things"],
    ["GET /*", "GET", "/"],
  ])("%s to %s %s", (path, method, target) => {
    expect(opens(path, method, target)).toBe(true);
  });

  it.each([
    ["POST /hooks/*", "GET", "/hooks/stripe"],
    ["POST /hooks/*", "post", "/hooks/stripe"],
    ["POST /hooks/*", "HEAD", "/hooks/stripe"],
    ["HEAD /feed", "GET", "/feed"],
    ["POST /hooks/*", "POST", "/hooks"],
    ["POST /hooks/*", "POST", "/hooksevil/x"],
    ["POST /hooks/*", "POST", "/HOOKS/x"],
    ["POST /hook", "POST", "/hook/"],
    ["POST /hook", "POST", "/hook/x"],
    ["POST /hook", "POST", "/%68ook"],
    ["POST /hook", "POST", "//hook"],
    ["POST /hook", "POST", "*"],
  ])("%s not to %s %s", (path, method, target) => {
    expect(opens(path, method, target)).toBe(false);
  });

  it.each([
    "/hooks/../admin",
    "/hooks/..",
    "/hooks/.",
    "/hooks/./x",
    "/hooks/%2e%2e/admin",
    "/hooks/.%2E/admin",
    "/hooks/%2e%2e%2fadmin",
    "/hooks/%252e%252e/admin",
    "/hooks/%25252e%25252e%25252fadmin",
    "/hooks/..%5cadmin",
    String.raw`/hooks/..\admin`,
    String.raw`/hooks/x\..\..\admin`,
    "/hooks/..;/admin",
    "/hooks/..;x=1/admin",
    "/hooks/%2e%2e;/admin",
    "/hooks/..%3b/admin",
    "/hooks//../admin",
    "/hooks/a//../../admin",
    "/hooks/..%20/admin",
    "/hooks/.../admin",
    "/hooks/..%00/admin",
    "/hooks/x%00",
    "/hooks/x%0d%0ay",
    "/hooks/%c0%ae%c0%ae/admin",
    "/hooks/%zz",
    "/hooks/%",
    "/hooks/%u002e%u002e/admin",
    "/admin/../hooks/x",
    "//hooks/x",
    "/hooks%2fx",
    "http://other.example/hooks/x",
  ])("POST /hooks/* not to %s, which a service may read in another way", (target) => {
    expect(opens("POST /hooks/*", "POST", target)).toBe(false);
  });

  it("POST /hooks/* to nothing that leaves /hooks/ in any reading", () => {
    // prettier-ignore
    const pieces = [
      "/", "\\", ".", "..", ";", "%2e", "%2E", "%2f", "%5c", "%252e", "%252f", "%25", "%3b", "%00", " ", "%20",
      "a", "hooks", "admin", "?", "//", "%c3%a9", "\u00e9", "%",
    ];
    const piece = fc.constantFrom(...pieces);
    let opened = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const target = `/hooks/${pieces.join("")}`;
        if (!opens("POST /hooks/*", "POST", target)) return;
        opened += 1;
        for (const reading of readingsOf(target)) expect(`${reading}/`).toMatch(/^\/hooks\//);
      }),
      { numRuns: 800 },
    );
    // Otherwise nothing was shown.
    expect(opened).toBeGreaterThan(20);
  });

  it("whatever is sent in earnest", () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,8}$/);
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1 }), fc.webQueryParameters(), (segments, query) => {
        expect(opens("POST /hooks/*", "POST", `/hooks/${segments.join("/")}?${query}`)).toBe(true);
      }),
    );
  });
});

/** Paths that servers make of a target: decoded so many times, with or without `\` as `/`, parameters cut, slashes merged, dots resolved. */
function readingsOf(target: string): readonly string[] {
  let paths = [target.split("?", 1)[0] ?? ""];
  for (let times = 0; times < 4; times += 1) {
    const decoded = paths.map((path) =>
      path.replace(/%[0-9a-f]{2}/gi, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16))),
    );
    paths = [...new Set([...paths, ...decoded])];
  }
  const variants = [
    (path: string) => path,
    (path: string) => path.replaceAll("\\", "/"),
    (path: string) => path.replace(/;[^/]*/g, ""),
    (path: string) => path.replace(/\/+/g, "/"),
  ];
  const all = paths.flatMap((path) =>
    variants.flatMap((one) => variants.flatMap((two) => variants.map((three) => three(two(one(path)))))),
  );
  const whatwg = paths.map((path) => new URL(path, "http://service.example").pathname);
  return [...all.map((path) => posix.normalize(path)), ...whatwg];
}
