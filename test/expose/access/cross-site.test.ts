import { describe, expect, it } from "vitest";
import type { AccessKind } from "../../../src/expose/access/kinds.ts";
import { Door, ORIGIN, outcome } from "./visitor.ts";

/** Credentials of each kind. */
function fieldsFor(door: Door, kind: AccessKind): readonly string[] {
  if (kind === "claim") return ["Cookie", door.cookie()];
  if (kind === "token") return ["X-Tunnel-Token", door.token];
  return kind === "basic" ? ["Authorization", door.basic] : [];
}

describe.each(["claim", "token", "basic", "open"] as const)(
  "a WebSocket by %s (RFC 6455 section 10.2)",
  (kind) => {
    it.each([
      ["without Origin, as programs do", [], kind],
      ["from our own page", ["Origin", ORIGIN], kind],
      ["from another site", ["Origin", "https://evil.example"], "403"],
      ["from nowhere", ["Origin", "null"], "403"],
      ["from the same host in another scheme", ["Origin", "http://quiet-river.example"], "403"],
      ["from another port", ["Origin", `${ORIGIN}:8443`], "403"],
      ["from a host that begins alike", ["Origin", `${ORIGIN}.evil.example`], "403"],
      ["from two origins", ["Origin", ORIGIN, "origin", "https://evil.example"], "403"],
      ["from the loopback name that the service sees", ["Origin", "http://localhost:3000"], "403"],
    ])("%s: %s ends in %s", (_, origin, expected) => {
      const door = new Door({ kinds: [kind] });
      const fields = [...fieldsFor(door, kind), ...origin];
      expect(outcome(door.visit({ fields, isUpgrade: true }))).toBe(expected);
    });
  },
);

describe("a WebSocket", () => {
  it("from another site meets no open path either", () => {
    const door = new Door({ openPaths: ["GET /ws"] });
    expect(outcome(door.visit({ target: "/ws", isUpgrade: true }))).toBe("path");
    const fields = ["Origin", "https://evil.example"];
    expect(outcome(door.visit({ target: "/ws", fields, isUpgrade: true }))).toBe("403");
  });

  it("from anywhere is refused while the address is not known", () => {
    const door = new Door({ kinds: ["open"], origin: undefined });
    expect(outcome(door.visit({ fields: ["Origin", ORIGIN], isUpgrade: true }))).toBe("403");
  });

  it("without a credential is refused as anything else is", () => {
    const answer = new Door().answer({ fields: ["Accept", "text/html"], isUpgrade: true });
    expect(answer.status).toBe(401);
  });
});

describe("a request that its browser adds credentials to by itself", () => {
  const EVIL = ["Origin", "https://evil.example"];
  const cases: readonly (readonly [string, readonly string[], claim: string, basic: string])[] = [
    ["from our own page", ["Origin", ORIGIN, "Sec-Fetch-Site", "same-origin"], "claim", "basic"],
    ["from a program", [], "claim", "basic"],
    ["from the address bar", ["Sec-Fetch-Site", "none"], "claim", "basic"],
    ["from another site", [...EVIL, "Sec-Fetch-Site", "cross-site"], "403", "403"],
    ["from another site, of an old browser", EVIL, "403", "403"],
    ["from a sibling host, which gets the cookie", ["Sec-Fetch-Site", "same-site"], "403", "403"],
    [
      "from a page of ours that tells no referrer",
      ["Origin", "null", "Sec-Fetch-Site", "same-origin"],
      "claim",
      "basic",
    ],
    ["from an unknown page of an old browser", ["Origin", "null"], "claim", "403"],
  ];

  it.each(cases)("%s: %j is %s by claim and %s by basic when it writes", (_, origin, claim, basic) => {
    const door = new Door({ kinds: ["claim", "basic"] });
    const by = (kind: AccessKind, method: string): string =>
      outcome(door.visit({ method, fields: [...fieldsFor(door, kind), ...origin] }));
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
      const cookied = new Door({ kinds: ["claim", "basic"] });
      expect(outcome(cookied.visit({ method, fields: [...fieldsFor(cookied, "claim"), ...origin] }))).toBe(
        claim,
      );
      expect(by("basic", method)).toBe(basic);
    }
  });

  it("reads as ever: the other site does not see the answer", () => {
    const door = new Door({ kinds: ["basic"] });
    for (const method of ["GET", "HEAD"])
      expect(outcome(door.visit({ method, fields: ["Authorization", door.basic, ...EVIL] }))).toBe("basic");
  });

  it("passes where it needs no credential, or has one that no browser adds", () => {
    const door = new Door({ openPaths: ["POST /hooks/*"] });
    const fields = [...EVIL, "Sec-Fetch-Site", "cross-site"];
    expect(outcome(door.visit({ method: "POST", target: "/hooks/x", fields }))).toBe("path");
    expect(outcome(door.visit({ method: "POST", fields: [...fields, "X-Tunnel-Token", door.token] }))).toBe(
      "token",
    );
    expect(outcome(new Door({ kinds: ["open"] }).visit({ method: "POST", fields }))).toBe("open");
  });
});
