import { describe, expect, it } from "vitest";
import { DOCUMENT, jsonDocument, ORIGIN, REDIRECT, RESOURCE, Stand, wrong, type Query } from "./stand.ts";

const MINUTE = 60_000;

describe("the page", () => {
  it("shows who asks as claimed text, where the answer goes, and no code", async () => {
    const stand = new Stand();
    stand.document = jsonDocument({
      client_id: DOCUMENT,
      client_name: `<img src=x onerror=alert(1)>"\u202e'&`,
      redirect_uris: [REDIRECT],
    });
    const page = await stand.authorize();
    expect(page.status).toBe(200);
    expect(page.body).not.toContain("<img");
    expect(page.body).not.toContain("\u202e");
    expect(page.body).toContain("<bdi>&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;</bdi>");
    expect(page.body).toContain("published by <bdi>claude.ai</bdi>");
    expect(page.body).toMatch(/The answer goes to<\/dt>\s*<dd><bdi>claude\.ai<\/bdi>/);
    for (const part of [stand.code, stand.code.replace("-", ""), stand.code.slice(0, 4)])
      expect(JSON.stringify(page.response)).not.toContain(part);
  });

  it("runs no script, is not framed, kept or told to others, and posts to us alone", async () => {
    const page = await new Stand().authorize();
    const policy = page.field("content-security-policy") ?? "";
    expect(policy.split("; ").toSorted()).toEqual([
      "base-uri 'none'",
      "default-src 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      expect.stringMatching(/^style-src 'sha256-[\w+/=]+'$/),
    ]);
    expect(page.field("referrer-policy")).toBe("no-referrer");
    expect(page.field("cache-control")).toBe("no-store");
    expect(page.field("x-frame-options")).toBe("DENY");
    expect(page.body).not.toMatch(/<script|\son\w+=|javascript:/i);
    expect(page.field("access-control-allow-origin")).toBeUndefined();
  });

  it("is the same when it is loaded again: the owner is told once", async () => {
    const stand = new Stand();
    const [first, again] = [await stand.authorize(), await stand.authorize()];
    expect(again.ticket()).toBe(first.ticket());
    expect(stand.notices).toHaveLength(1);
    const other = await stand.authorize({ state: "other" });
    expect(other.ticket()).not.toBe(first.ticket());
    expect(stand.notices).toHaveLength(2);
  });

  it("goes on to the client by itself, and not by a redirect, which a policy for forms would hold back", async () => {
    const stand = new Stand();
    const page = await stand.authorize();
    const decided = await stand.decide(page.ticket(), stand.code);
    expect([decided.status, decided.field("location")]).toEqual([200, undefined]);
    expect(decided.field("refresh")).toMatch(/^0; url=https:\/\/claude\.ai\/api\/mcp\/auth_callback\?code=/);
    expect(decided.field("referrer-policy")).toBe("no-referrer");
    expect(decided.field("cache-control")).toBe("no-store");
  });
});

describe("the owner's code", () => {
  it("is told with who asks and on which page to type it", async () => {
    const stand = new Stand();
    await stand.authorize();
    expect(stand.notices).toEqual([
      {
        what: "code",
        code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
        client: { name: "Claude", publisher: "claude.ai", returnsTo: "claude.ai" },
        page: `${ORIGIN}/authorize`,
        endsAt: stand.clock.now() + 10 * MINUTE,
      },
    ]);
    expect(stand.server.waiting).toEqual(stand.notices);
  });

  it.each([
    ["small letters", (code: string) => code.toLowerCase()],
    ["no dash", (code: string) => code.replace("-", "")],
    ["spaces", (code: string) => ` ${code.replace("-", " ")} `],
  ])("may be typed with %s", async (_, typed) => {
    const stand = new Stand();
    const page = await stand.authorize();
    expect((await stand.decide(page.ticket(), typed(stand.code))).onward().searchParams.has("code")).toBe(
      true,
    );
  });

  it("may be wrong nine times; the tenth time it is over, and the right one comes too late", async () => {
    const stand = new Stand();
    const page = await stand.authorize();
    for (let left = 9; left > 0; left -= 1) {
      const again = await stand.decide(page.ticket(), wrong(stand.code));
      expect(again.status).toBe(403);
      expect(again.body).toContain(left === 1 ? "One try is left" : `${left} tries are left`);
      expect(again.ticket()).toBe(page.ticket());
    }
    const last = await stand.decide(page.ticket(), wrong(stand.code));
    expect(last.onward().searchParams.get("error")).toBe("access_denied");
    expect(last.onward().searchParams.has("code")).toBe(false);
    expect((await stand.decide(page.ticket(), stand.code)).status).toBe(410);
    expect(stand.notices.at(-1)).toMatchObject({ what: "refused", why: "tries" });
    expect(stand.server.waiting).toEqual([]);
  });

  it("lets in after nine wrong ones, once", async () => {
    const stand = new Stand();
    const page = await stand.authorize();
    for (let tries = 0; tries < 9; tries += 1) await stand.decide(page.ticket(), "");
    expect((await stand.decide(page.ticket(), stand.code)).onward().searchParams.has("code")).toBe(true);
    expect((await stand.decide(page.ticket(), stand.code)).status).toBe(410);
  });

  it("is for its own sign-in alone", async () => {
    const stand = new Stand();
    const own = await stand.authorize({ state: "own" });
    const code = stand.code;
    const others = await stand.authorize({ state: "others" }, "198.51.100.9");
    expect((await stand.decide(others.ticket(), code)).status).toBe(403);
    expect((await stand.decide(own.ticket(), code)).status).toBe(200);
  });

  it("ends after ten minutes", async () => {
    const stand = new Stand();
    const page = await stand.authorize();
    await stand.clock.advance(10 * MINUTE);
    expect((await stand.decide(page.ticket(), stand.code)).status).toBe(410);
    expect(stand.server.waiting).toEqual([]);
  });

  it("is not tried by whoever was not shown the page", async () => {
    const stand = new Stand();
    await stand.authorize();
    for (const ticket of ["", "x".repeat(32), "undefined"])
      expect((await stand.decide(ticket, stand.code)).status).toBe(410);
    expect(stand.server.waiting).toHaveLength(1);
  });

  it("may be refused without it, and the client is told", async () => {
    const stand = new Stand();
    const page = await stand.authorize();
    const url = (await stand.decide(page.ticket(), "", { decision: "refuse" })).onward();
    expect(Object.fromEntries(url.searchParams)).toEqual({
      error: "access_denied",
      error_description: expect.any(String),
      state: "a state & more",
      iss: ORIGIN,
    });
    expect(stand.notices.at(-1)).toMatchObject({ what: "refused", why: "person" });
    expect((await stand.decide(page.ticket(), stand.code)).status).toBe(410);
  });

  it.each([
    ["Sec-Fetch-Site", "cross-site"],
    ["Sec-Fetch-Site", "same-site"],
    ["Origin", "https://evil.example"],
  ])("is not taken from a page of another site (%s: %s)", async (...fields) => {
    const stand = new Stand();
    const page = await stand.authorize();
    const forged = await stand.decide(page.ticket(), stand.code, { fields });
    expect([forged.status, forged.field("refresh")]).toEqual([403, undefined]);
    for (const own of [
      ["Origin", ORIGIN],
      ["Origin", "null"],
      ["Sec-Fetch-Site", "same-origin"],
    ]) {
      const next = await stand.authorize({ state: own.join() });
      expect((await stand.decide(next.ticket(), stand.code, { fields: own })).status).toBe(200);
    }
  });

  it("is in no answer that strangers get, whatever they do", async () => {
    const stand = new Stand();
    const page = await stand.authorize();
    const code = stand.code;
    const answers = [
      page,
      await stand.authorize(),
      await stand.decide(page.ticket(), wrong(code)),
      await stand.decide("x", code),
      await stand.ask("GET", "/.well-known/oauth-authorization-server"),
      await stand.redeem(code),
      await stand.post("/revoke", { token: code }),
      await stand.register({ redirect_uris: [REDIRECT] }),
      await stand.decide(page.ticket(), code),
    ];
    for (const { response } of answers) {
      expect(JSON.stringify(response)).not.toContain(code);
      expect(JSON.stringify(response)).not.toContain(code.replace("-", ""));
    }
  });
});

describe("a request that is not right", () => {
  const page = (shown: { status: number; field(name: string): string | undefined }) => [
    shown.status,
    shown.field("location"),
    shown.field("refresh"),
  ];

  it.each<[string, Query]>([
    ["no client", { client_id: undefined }],
    ["no way back", { redirect_uri: undefined }],
    ["two ways back", { redirect_uri: [REDIRECT, "https://evil.example/"] }],
    ["two clients", { client_id: [DOCUMENT, DOCUMENT] }],
    ["two states", { state: ["a", "b"] }],
    ["an unknown client", { client_id: "client-00" }],
    ["another way back", { redirect_uri: "https://evil.example/cb" }],
    ["a longer way back", { redirect_uri: `${REDIRECT}/more` }],
    ["a way back with a query of its own", { redirect_uri: `${REDIRECT}?next=https://evil.example` }],
    ["a way back below the right one", { redirect_uri: `${REDIRECT}/../../evil` }],
    ["another port", { redirect_uri: REDIRECT.replace("claude.ai", "claude.ai:444") }],
    ["the right port spelt out", { redirect_uri: REDIRECT.replace("claude.ai", "claude.ai:443") }],
    ["other letters", { redirect_uri: REDIRECT.replace("claude", "CLAUDE") }],
    ["a name in front", { redirect_uri: REDIRECT.replace("claude.ai", "claude.ai@evil.example") }],
    ["a fragment", { redirect_uri: `${REDIRECT}#x` }],
    ["a script", { redirect_uri: "javascript:alert(1)" }],
    ["a line break", { redirect_uri: `${REDIRECT}\r\nSet-Cookie: a=b` }],
  ])("is a page that leads nowhere: %s", async (_, over) => {
    const shown = await new Stand().authorize(over);
    expect(page(shown)).toEqual([400, undefined, undefined]);
    expect(shown.body).not.toMatch(/href=|evil\.example|alert\(1\)/);
  });

  it.each<[string, Query, string]>([
    ["no PKCE", { code_challenge: undefined, code_challenge_method: undefined }, "invalid_request"],
    ["PKCE without a method, which means plain", { code_challenge_method: undefined }, "invalid_request"],
    ["plain PKCE", { code_challenge_method: "plain" }, "invalid_request"],
    ["a challenge that is no hash", { code_challenge: "short" }, "invalid_request"],
    ["another resource", { resource: "https://other.example/mcp" }, "invalid_target"],
    [
      "the resource of another address",
      { resource: [RESOURCE, "https://other.example/mcp"] },
      "invalid_target",
    ],
    ["the whole origin", { resource: ORIGIN }, "invalid_target"],
    ["tokens at once", { response_type: "token" }, "unsupported_response_type"],
    ["an answer in the fragment", { response_mode: "fragment" }, "invalid_request"],
    ["parameters in an object", { request: "e30.e30." }, "request_not_supported"],
    ["parameters elsewhere", { request_uri: "https://evil.example/r" }, "request_not_supported"],
    ["no question to the owner", { prompt: "none" }, "interaction_required"],
  ])("is a page with a link back, on which nobody is sent without a click: %s", async (_, over, error) => {
    const stand = new Stand();
    const shown = await stand.authorize(over);
    expect(page(shown)).toEqual([400, undefined, undefined]);
    const href = /href="([^"]+)"/.exec(shown.body)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const url = new URL(href);
    expect(href.startsWith(`${REDIRECT}?`)).toBe(true);
    expect([url.searchParams.get("error"), url.searchParams.get("iss")]).toEqual([error, ORIGIN]);
    expect(url.searchParams.get("state")).toBe("a state & more");
    expect(stand.notices).toEqual([]);
  });

  it.each([`${RESOURCE}/`, "HTTPS://QUIET-RIVER.example/mcp", "https://quiet-river.example:443/mcp"])(
    "is right with the resource spelt as %s",
    async (resource) => {
      expect((await new Stand().authorize({ resource })).status).toBe(200);
    },
  );
});

describe("a flood", () => {
  it("of sign-ins from one source leaves others room, and costs the owner few lines", async () => {
    const stand = new Stand();
    const statuses: number[] = [];
    for (let one = 0; one < 1_000; one += 1)
      statuses.push((await stand.authorize({ state: `flood ${one}` }, "203.0.113.5")).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(stand.notices).toHaveLength(10);
    expect((await stand.authorize({ state: "flood 9999" }, "203.0.113.5")).field("retry-after")).toBe("30");
    expect((await stand.authorize({ state: "own" }, "192.0.2.1")).status).toBe(200);
  });

  it("of sign-ins from everywhere is bounded, and no running one is pushed out", async () => {
    const stand = new Stand();
    const page = await stand.authorize();
    const code = stand.code;
    for (let one = 0; one < 5_000; one += 1) {
      if (one % 10 === 0) await stand.clock.advance(1_000);
      await stand.authorize({ state: `flood ${one}` }, `198.${one % 250}.${Math.floor(one / 250)}.7`);
    }
    expect(stand.server.waiting.length).toBeLessThanOrEqual(128);
    expect((await stand.decide(page.ticket(), code)).onward().searchParams.has("code")).toBe(true);
  });

  it("of guesses from one source ends each of its sign-ins sooner", async () => {
    const stand = new Stand();
    let guesses = 0;
    for (let one = 0; one < 10; one += 1) {
      const page = await stand.authorize({ state: `guess ${one}` }, "203.0.113.5");
      for (;;) {
        const { status } = await stand.decide(page.ticket(), "BBBB-BBBB", { source: "203.0.113.5" });
        guesses += 1;
        if (status !== 403) break;
      }
    }
    // Twenty at once, then one for each sign-in.
    expect(guesses).toBeLessThanOrEqual(30);
    const page = await stand.authorize({ state: "own" });
    expect((await stand.decide(page.ticket(), stand.code)).status).toBe(200);
  });

  it("of long forms and queries is refused", async () => {
    const stand = new Stand();
    expect((await stand.decide("x".repeat(20_000), "y")).status).toBe(400);
    expect((await stand.authorize({ state: "s".repeat(4_097) })).status).toBe(400);
    const page = await stand.authorize();
    expect((await stand.decide(page.ticket(), "B".repeat(10_000))).status).toBe(403);
  });
});
