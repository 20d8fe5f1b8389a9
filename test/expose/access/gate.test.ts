import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Door, ORIGIN, outcome } from "./visitor.ts";

const KINDS = ["claim", "token", "prefix", "basic"] as const;

/** What strangers may send, with much of what the gate looks at in it. */
const text = fc.oneof(
  fc.stringMatching(/^[ -~\u0080-\u00ff]{0,20}$/),
  fc.constantFrom(
    ORIGIN,
    "null",
    "same-origin",
    "text/html",
    "Basic eDp5",
    "/.tunnel/p/",
    "=;=",
    "application/x",
  ),
);
const name = fc.oneof(
  fc.stringMatching(/^[!-9;-~]{1,12}$/),
  fc.constantFrom(
    "Cookie",
    "X-Tunnel-Token",
    "authorization",
    "Origin",
    "Referer",
    "Accept",
    "Sec-Fetch-Site",
    "Host",
  ),
);
const fields = fc.array(fc.tuple(name, text), { maxLength: 8 }).map((pairs) => pairs.flat());
const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND", "get", "X");
const target = fc.oneof(
  fc.stringMatching(/^[!-~\u0080-\u00ff]{0,20}$/).map((path) => `/${path}`),
  fc
    .tuple(
      fc.constantFrom("/.tunnel/", "/.tunnel/p/", "/.tunnel/claim", "/.tunnel", "/%2etunnel/claim"),
      text,
    )
    .map((parts) => parts.join("")),
  fc.constantFrom("*", "", "//", "/hooks/../"),
);
const address = fc.oneof(fc.ipV4(), fc.ipV6(), text);
const visit = fc.record({ method, target, fields, address, isUpgrade: fc.boolean() });

describe("whatever a stranger sends", () => {
  it("is answered, and let in by nothing but a preflight", () => {
    const door = new Door({ kinds: KINDS, openPaths: ["POST /hooks/*"] });
    fc.assert(
      fc.property(visit, (one) => {
        const admission = door.visit(one);
        if (admission.kind === "pass") expect(admission.way).toMatch(/^(?:preflight|path)$/);
        if (admission.kind === "form") expect([403, 429]).toContain(admission.submit("claim=x").status);
      }),
      { numRuns: 1000 },
    );
    expect(door.access.claims()).toMatchObject([{ state: "unused" }]);
  });
});

describe("whoever has every credential, sent in any order, twice and beside others", () => {
  it("has none of them passed on or shown", () => {
    const door = new Door({ kinds: KINDS, openPaths: ["POST /hooks/*", "* /all/*"], claims: 1 });
    const cookie = door.cookie();
    const prefixed = ORIGIN + door.prefix;
    const secrets = [cookie.split("=")[1] ?? "", door.token, door.basic.slice(6), door.prefix.slice(11)];
    const own = fc.constantFrom(
      ["Cookie", cookie],
      ["cookie", `a=1; ${cookie};b=2`],
      ["X-Tunnel-Token", door.token],
      ["x-tunnel-token", `${door.token}x`],
      ["Authorization", door.basic],
      ["Referer", `${prefixed}/page`],
      ["X-Page", `see ${prefixed} and ${prefixed}/b`],
    );
    const pairs = fc.array(fc.oneof(own, fc.tuple(name, text)), { maxLength: 10 });
    const where = fc.constantFrom(
      "/",
      "/hooks/x",
      "/all/y",
      `${door.prefix}/z`,
      `${door.prefix}/z/../?q`,
      "/.tunnel/claim",
    );
    const ways = new Set<string>();
    fc.assert(
      fc.property(method, where, pairs, fc.boolean(), (method, target, pairs, isUpgrade) => {
        const admission = door.visit({ method, target, fields: pairs.flat(), isUpgrade });
        ways.add(outcome(admission));
        const { target: to, fields } =
          admission.kind === "pass" ? admission : (admission.shown ?? { target, fields: pairs.flat() });
        for (const secret of secrets) expect([to, ...fields].join("\n")).not.toContain(secret);
      }),
      { numRuns: 1000 },
    );
    // Each of them was met.
    expect([...ways].toSorted()).toEqual(
      expect.arrayContaining(["401", "basic", "claim", "path", "prefix", "token"]),
    );
  });
});
