import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cookieName,
  setCookie,
  takeCookies,
  withoutOurSetCookies,
} from "../../../src/expose/access/cookies.ts";

const NAME = cookieName("0a1b2c3d");
const OTHER = cookieName("ffffffff");

const taken = (...lines: string[]): { fields: readonly string[]; values: readonly string[] } =>
  takeCookies(
    lines.flatMap((line) => ["Cookie", line]),
    NAME,
  );

describe("the cookie of an exposure is taken out of Cookie", () => {
  it.each([
    ["alone, with the whole field", `${NAME.secure}=v`, [], ["v"]],
    ["at the front", `${NAME.secure}=v; a=1`, ["a=1"], ["v"]],
    [
      "in the middle, and the rest stays byte for byte",
      `a="1;${NAME.plain}=v;  b=2 ;c`,
      ['a="1;  b=2 ;c'],
      ["v"],
    ],
    ["at the end", `a=1; ${NAME.secure}=v`, ["a=1"], ["v"]],
    ["twice", `${NAME.plain}=v; a=1; ${NAME.plain}=w`, ["a=1"], ["v", "w"]],
    [
      "under the name of another exposure, whose value counts for nothing",
      `${OTHER.secure}=v; a=1`,
      ["a=1"],
      [],
    ],
    ["with blanks around its name", `a=1;  ${NAME.plain} = v`, ["a=1"], ["v"]],
    ["with = in its value", `${NAME.plain}=v=w`, [], ["v=w"]],
  ])("%s", (_, line, kept, values) => {
    expect(taken(line)).toEqual({ fields: kept.flatMap((one) => ["Cookie", one]), values });
  });

  it.each([
    "a=1; b=2",
    " ;; ",
    "",
    "tunnel-access=1",
    "xtunnel-access-0a1b2c3d=1",
    "tunnel-access-0a1b2c3d0=1",
    "TUNNEL-ACCESS-0A1B2C3D=1",
    "a=tunnel-access-0a1b2c3d",
    "caf\u00e9=\u00ff\u0080",
  ])("and %j is not ours", (line) => {
    expect(taken(line)).toEqual({ fields: ["Cookie", line], values: [] });
  });

  it("out of several fields, of which one may go as a whole", () => {
    expect(
      takeCookies(
        ["COOKIE", `${NAME.plain}=v`, "X", `${NAME.plain}=x`, "cookie", `a=1;${NAME.plain}=w`],
        NAME,
      ),
    ).toEqual({ fields: ["X", `${NAME.plain}=x`, "cookie", "a=1"], values: ["v", "w"] });
  });

  it("wherever it stands, and nothing else is", () => {
    const own = fc.constantFrom(NAME.plain, NAME.secure, OTHER.plain).map((name) => `${name}=SECRET`);
    const foreign = fc
      .stringMatching(/^[!-:<-~ \u0080-\u00ff]{0,12}$/)
      .filter((text) => !text.includes("tunnel-access-"));
    const line = fc.array(fc.oneof(own, foreign), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(line, (pairs) => {
        const { fields } = taken(pairs.join(";"));
        const rest = pairs.filter((pair) => !pair.endsWith("=SECRET"));
        expect(fields.join()).not.toContain("SECRET");
        if (rest.length === pairs.length) expect(fields[1]).toBe(pairs.join(";"));
        else
          expect(fields[1] ?? "").toBe(
            rest.every((one) => one.trim() === "") ? "" : rest.join(";").trimStart(),
          );
      }),
    );
  });
});

describe("a service cannot set the cookie of an exposure", () => {
  it.each([
    `${NAME.plain}=x; Path=/`,
    `${NAME.secure}=`,
    ` ${OTHER.plain} =x`,
    `=${NAME.plain}=x`,
    NAME.plain,
  ])("%s is dropped", (value) => {
    expect(withoutOurSetCookies(["Set-Cookie", "a=1", "set-cookie", value, "X", value])).toEqual([
      "Set-Cookie",
      "a=1",
      "X",
      value,
    ]);
  });
});

describe("the cookie that a visitor gets", () => {
  it("is for this host alone, over https alone, and out of reach of scripts", () => {
    expect(setCookie(NAME, "v", { isSecure: true, maxAgeSec: 60 })).toEqual([
      "Set-Cookie",
      "__Host-tunnel-access-0a1b2c3d=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure",
    ]);
  });

  it("goes without Secure and its prefix on a plain address, where a browser would drop it", () => {
    expect(setCookie(NAME, "v", { isSecure: false, maxAgeSec: 60 })).toEqual([
      "Set-Cookie",
      "tunnel-access-0a1b2c3d=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
    ]);
  });
});
