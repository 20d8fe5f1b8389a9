import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRedirect, isRegistered, placeOf } from "../../../src/expose/oauth/redirects.ts";
import { DOCUMENT, jsonDocument, REDIRECT, Stand, tokensOf, type Query } from "./stand.ts";

const HOUR = 60 * 60_000;

describe("a way back", () => {
  it.each([
    REDIRECT,
    "https://app.example:8443/cb?tenant=1",
    "http://localhost/callback",
    "http://localhost:49152/callback",
    "http://127.0.0.1:1234",
    "http://[::1]:1234/cb",
    "cursor://anysphere.cursor-mcp/oauth/user-x/callback",
    "com.example.app:/oauth",
    "vscode://vscode.github-authentication/did-authenticate",
  ])("may be %s", (redirect) => expect(isRedirect(redirect)).toBe(true));

  it.each([
    "http://app.example/cb",
    "http://localhost.evil.example/cb",
    "http://127.0.0.1.nip.io/cb",
    "http://127.0.0.2/cb",
    "http://127.1/cb",
    "http://0x7f000001/cb",
    "http://localhost@evil.example/cb",
    "http://evil.example\\@localhost/cb",
    "https:///evil.example",
    "https:evil.example",
    "https:\\\\evil.example",
    "//evil.example/cb",
    "/cb",
    "",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\nscript:alert(1)",
    " javascript:alert(1)",
    "javascript://x.example/%0aalert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://x.example/1",
    "filesystem:https://x.example/",
    "view-source:https://x.example/",
    "about:blank",
    "ws://localhost/cb",
    "ms-msdt:/id",
    "mailto:a@b.example",
    "urn:ietf:wg:oauth:2.0:oob",
    "https://app.example/cb#x",
    "https://app.example/cb#",
    "https://user@app.example/cb",
    "https://user:pw@app.example/cb",
    'https://app.example/"><script>',
    "https://app.example/c b",
    "https://app.example/\r\nSet-Cookie:a=b",
    "https://аpp.example/cb",
    "http://localhost:*/cb",
    "https://@claude.ai/cb",
    "https://:@claude.ai",
    `https://app.example/${"x".repeat(512)}`,
  ])("is never %j", (redirect) => expect(isRedirect(redirect)).toBe(false));

  it.each([
    ["http://localhost/callback", "http://localhost:58135/callback", true],
    ["http://127.0.0.1:33418/", "http://127.0.0.1:60005/", true],
    ["http://127.0.0.1", "http://127.0.0.1:60005/", true],
    ["http://[::1]/cb?a=1", "http://[::1]:9/cb?a=1", true],
    ["http://localhost/callback", "http://127.0.0.1:1/callback", false],
    ["http://localhost/callback", "http://localhost:1/callback/", false],
    ["http://localhost/callback", "http://localhost:1/callback?x", false],
    ["http://localhost/callback", "https://localhost:1/callback", false],
    ["https://app.example/cb", "https://app.example:1/cb", false],
    ["cursor://a/cb", "cursor://a:1/cb", false],
  ])("registered as %s lets %s in: %s", (registered, asked, is) => {
    expect(isRegistered(asked, [registered])).toBe(is);
  });

  it("that is let in is one that the parser of a browser reads in the same way", () => {
    const piece = fc.constantFrom(
      "https:",
      "http:",
      "/",
      "//",
      "\\",
      "@",
      ":",
      "localhost",
      "evil.example",
      "claude.ai",
      "#",
      "?",
      "%0d",
      "\n",
      "\t",
      "[::1]",
      "cb",
      "javascript:",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join("");
        if (!isRedirect(text)) return;
        const { protocol, host, username, hash } = new URL(text);
        expect([username, hash]).toEqual(["", ""]);
        expect(protocol).not.toBe("javascript:");
        if (protocol.startsWith("http"))
          expect(text.toLowerCase().startsWith(`${protocol}//${host}`)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it("is told to a person by its host, or by what it opens", () => {
    expect(placeOf(REDIRECT)).toBe("claude.ai");
    expect(placeOf("http://localhost:1/cb")).toContain("machine of the browser");
    expect(placeOf("cursor://x/cb")).toContain("cursor:");
  });
});

describe("a client that registers (RFC 7591)", () => {
  it("gets an id, no secret, and what it may do", async () => {
    const stand = new Stand();
    const registered = await stand.register({
      redirect_uris: ["http://localhost:6274/oauth/callback"],
      client_name: "MCP Inspector",
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_post",
      scope: "openid mcp",
      logo_uri: "https://x.example/logo.png",
    });
    expect(registered.status).toBe(201);
    expect(registered.json()).toEqual({
      client_id: expect.stringMatching(/^client-[0-9a-f]{32}$/),
      client_id_issued_at: Math.floor(stand.clock.now() / 1_000),
      client_name: "MCP Inspector",
      redirect_uris: ["http://localhost:6274/oauth/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      scope: "mcp",
    });
    const client = {
      client_id: String(registered.json()["client_id"]),
      redirect_uri: "http://localhost:6275/oauth/callback",
    };
    const page = await stand.authorize(client);
    expect(page.body).toContain("anybody can claim any name");
    const code = (await stand.decide(page.ticket(), stand.code)).onward().searchParams.get("code") ?? "";
    const { access } = tokensOf(await stand.redeem(code, client));
    expect(stand.server.check(access)).toBe(true);
    expect(stand.fetched).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ["no JSON", "{", "invalid_client_metadata"],
    ["a list", [], "invalid_client_metadata"],
    ["no way back", {}, "invalid_client_metadata"],
    ["an empty list of them", { redirect_uris: [] }, "invalid_client_metadata"],
    [
      "too many",
      { redirect_uris: Array.from({ length: 17 }, (_, at) => `https://a.example/${at}`) },
      "invalid_client_metadata",
    ],
    ["a text in place of a list", { redirect_uris: REDIRECT }, "invalid_client_metadata"],
    [
      "a bad one among good ones",
      { redirect_uris: [REDIRECT, "javascript:alert(1)"] },
      "invalid_redirect_uri",
    ],
    ["plain http", { redirect_uris: ["http://app.example/cb"] }, "invalid_redirect_uri"],
    [
      "another grant alone",
      { redirect_uris: [REDIRECT], grant_types: ["implicit"] },
      "invalid_client_metadata",
    ],
    [
      "another response alone",
      { redirect_uris: [REDIRECT], response_types: ["token"] },
      "invalid_client_metadata",
    ],
    [
      "8 KiB and more",
      { redirect_uris: [REDIRECT], client_name: "x".repeat(9_000) },
      "invalid_client_metadata",
    ],
  ])("is refused with %s", async (_, metadata, error) => {
    const refused = await new Stand().register(metadata);
    expect([refused.status, refused.json()["error"]]).toEqual([400, error]);
  });

  it("is forgotten after an hour unless a person has let it in", async () => {
    const stand = new Stand();
    const client = async (name: string): Promise<Query> => ({
      client_id: String(
        (await stand.register({ redirect_uris: [REDIRECT], client_name: name })).json()["client_id"],
      ),
    });
    const [known, stranger] = [await client("known"), await client("stranger")];
    const { refresh } = tokensOf(await stand.redeem(await stand.agreed(known), known));
    await stand.clock.advance(HOUR);
    expect((await stand.authorize({ ...stranger, state: "later" })).status).toBe(400);
    expect((await stand.authorize({ ...known, state: "later" })).status).toBe(200);
    expect((await stand.renew(refresh, known)).status).toBe(200);
  });

  it("cannot push out one that was let in, or begin a flood", async () => {
    const stand = new Stand();
    const { client_id } = (await stand.register({ redirect_uris: [REDIRECT] })).json();
    const known = { client_id: String(client_id) };
    await stand.agreed(known);
    const statuses = new Map<number, number>();
    for (let one = 0; one < 20_000; one += 1) {
      if (one % 10 === 0) await stand.clock.advance(1_000);
      const source = `198.${one % 250}.${Math.floor(one / 250)}.7`;
      const { status } = await stand.register({ redirect_uris: ["https://flood.example/cb"] }, source);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect(statuses.get(201)).toBeLessThanOrEqual(80 + 2_000 / 10 + 1);
    expect((await stand.authorize({ ...known, state: "after the flood" })).status).toBe(200);
    const limited = await new Stand().register({ redirect_uris: [REDIRECT] });
    expect(limited.status).toBe(201);
  });
});

describe("a client that is named by its document", () => {
  it("is fetched once for a while, by many at the same time", async () => {
    const stand = new Stand();
    await Promise.all([stand.authorize({ state: "1" }), stand.authorize({ state: "2" })]);
    await stand.authorize({ state: "3" });
    expect(stand.fetched).toEqual([DOCUMENT]);
    await stand.clock.advance(5 * 60_000);
    await stand.authorize({ state: "4" });
    expect(stand.fetched).toHaveLength(2);
  });

  it("may be Claude Code, with a port of its own, and grants that are not known here", async () => {
    const stand = new Stand();
    const id = "https://claude.ai/oauth/claude-code-client-metadata";
    stand.document = jsonDocument(
      {
        client_id: id,
        client_name: "Claude Code",
        redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback"],
        grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        token_endpoint_auth_method: "none",
      },
      { type: "application/json; charset=utf-8" },
    );
    const client = { client_id: id, redirect_uri: "http://localhost:58135/callback" };
    const page = await stand.authorize(client);
    const code = (await stand.decide(page.ticket(), stand.code)).onward().searchParams.get("code") ?? "";
    expect(
      (await stand.redeem(code, { ...client, redirect_uri: "http://localhost:1/callback" })).status,
    ).toBe(400);
    const again = await stand.agreed({ ...client, state: "again" });
    expect((await stand.redeem(again, client)).status).toBe(200);
  });

  it.each([
    "http://claude.ai/client.json",
    "HTTPS://claude.ai/client.json",
    "https://claude.ai",
    "https://claude.ai/",
    "https://claude.ai:444/client.json",
    "https://claude.ai:443/client.json",
    "https://user@claude.ai/client.json",
    "https://claude.ai/client.json#x",
    "https://claude.ai/client.json#",
    "https://claude.ai/a/../client.json",
    "https://claude.ai/%2e%2e/client.json",
    "https://CLAUDE.ai/client.json",
    "https://claude.ai./client.json",
    "https://localhost/client.json",
    "https://router/client.json",
    "https://quiet-river.example/client.json",
    `https://claude.ai/${"x".repeat(512)}`,
  ])("is not looked for at %s", async (client_id) => {
    const stand = new Stand();
    expect((await stand.authorize({ client_id })).status).toBe(400);
    expect(stand.fetched).toEqual([]);
  });

  const good = { client_id: DOCUMENT, redirect_uris: [REDIRECT] };
  it.each([
    ["another name", jsonDocument({ ...good, client_id: "https://claude.ai/other" })],
    ["the name with a slash more", jsonDocument({ ...good, client_id: `${DOCUMENT}/` })],
    ["no name", jsonDocument({ redirect_uris: [REDIRECT] })],
    ["no way back", jsonDocument({ client_id: DOCUMENT })],
    ["a bad way back alone", jsonDocument({ ...good, redirect_uris: ["http://evil.example/cb"] })],
    ["a secret", jsonDocument({ ...good, client_secret: "s" })],
    [
      "a shared secret as its proof",
      jsonDocument({ ...good, token_endpoint_auth_method: "client_secret_basic" }),
    ],
    ["HTML", jsonDocument(good, { type: "text/html" })],
    ["no type", jsonDocument(good, { type: undefined })],
    ["an error", jsonDocument(good, { status: 404 })],
    ["a redirect", jsonDocument(good, { status: 302 })],
    ["no JSON", { status: 200, type: "application/json", body: Buffer.from("{") }],
    ["no UTF-8", { status: 200, type: "application/json", body: Buffer.from([0x22, 0xff, 0x22]) }],
    ["a list", jsonDocument([good])],
  ])("is not taken with %s", async (_, document) => {
    const stand = new Stand();
    stand.document = document;
    const shown = await stand.authorize();
    expect([shown.status, shown.field("refresh")]).toEqual([400, undefined]);
    expect(stand.notices).toEqual([]);
    // A fault is not remembered.
    stand.document = jsonDocument(good);
    expect((await stand.authorize({ state: "later" })).status).toBe(200);
  });

  it("is not taken where the fetch fails, and nothing of the reason is told", async () => {
    const stand = new Stand();
    stand.document = new Error("connect ECONNREFUSED 10.0.0.5:443");
    const shown = await stand.authorize();
    expect(shown.status).toBe(503);
    expect(shown.body).not.toMatch(/ECONNREFUSED|10\.0\.0\.5/);
  });

  it("is one of few that are fetched at once", async () => {
    const stand = new Stand();
    const release: (() => void)[] = [];
    stand.document = (url) =>
      new Promise((resolve) => {
        release.push(() => resolve(jsonDocument({ client_id: url.href, redirect_uris: [REDIRECT] })));
      });
    const asked = Array.from({ length: 8 }, (_, at) =>
      stand.authorize({ client_id: `https://host${at}.example/c`, state: String(at) }),
    );
    await expect.poll(() => release.length).toBe(4);
    for (const one of release) one();
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.toSorted((one, other) => one - other)).toEqual([200, 200, 200, 200, 503, 503, 503, 503]);
  });

  it("is not shown at an address that has changed while it was fetched", async () => {
    const stand = new Stand();
    let release: () => void = () => undefined;
    stand.document = (url) =>
      new Promise((resolve) => {
        release = () => resolve(jsonDocument({ client_id: url.href, redirect_uris: [REDIRECT] }));
      });
    const asked = stand.authorize();
    await expect.poll(() => stand.fetched.length).toBe(1);
    stand.server.publish(new URL("https://other-name.example"));
    release();
    expect((await asked).status).toBe(400);
    expect(stand.notices).toEqual([]);
  });
});
