import { describe, expect, it } from "vitest";
import { CHALLENGE, DOCUMENT, ORIGIN, REDIRECT, RESOURCE, Stand, tokensOf, VERIFIER } from "./stand.ts";

const MINUTE = 60_000;

describe("the metadata", () => {
  it.each(["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])(
    "names the resource and the server with absolute URLs at %s (RFC 9728)",
    async (path) => {
      const shown = await new Stand().ask("GET", path);
      expect(shown.status).toBe(200);
      expect(shown.json()).toEqual({
        resource: RESOURCE,
        authorization_servers: [ORIGIN],
        scopes_supported: ["mcp"],
        bearer_methods_supported: ["header"],
        resource_name: "notes",
      });
    },
  );

  it.each(["/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/mcp"])(
    "says at %s what the server takes (RFC 8414)",
    async (path) => {
      const shown = await new Stand().ask("GET", path);
      expect(shown.json()).toMatchObject({
        issuer: ORIGIN,
        authorization_endpoint: `${ORIGIN}/authorize`,
        token_endpoint: `${ORIGIN}/token`,
        registration_endpoint: `${ORIGIN}/register`,
        revocation_endpoint: `${ORIGIN}/revoke`,
        code_challenge_methods_supported: ["S256"],
        token_endpoint_auth_methods_supported: ["none"],
        authorization_response_iss_parameter_supported: true,
        client_id_metadata_document_supported: true,
      });
      expect(shown.field("access-control-allow-origin")).toBe("*");
      expect(shown.field("cache-control")).toBe("no-store");
    },
  );

  it("does not offer documents where they cannot be fetched safely", async () => {
    const stand = new Stand({ takesDocuments: false });
    const shown = await stand.ask("GET", "/.well-known/oauth-authorization-server");
    expect(shown.json()).toMatchObject({ client_id_metadata_document_supported: false });
    expect((await stand.authorize()).status).toBe(400);
    expect(stand.fetched).toEqual([]);
  });

  it("leaves all other paths to others", async () => {
    const { server } = new Stand();
    const ask = (target: string) =>
      server.handle({ method: "GET", target, fields: [], body: "", source: "::1" });
    for (const target of [
      "/",
      "/mcp",
      "/authorize/",
      "/Authorize",
      "//authorize",
      "/.well-known/openid-configuration",
    ])
      expect(await ask(target)).toBeUndefined();
  });

  it("answers a preflight, and refuses methods that are not for the path", async () => {
    const stand = new Stand();
    const preflight = await stand.ask("OPTIONS", "/token");
    expect(preflight.status).toBe(200);
    expect(preflight.field("access-control-allow-methods")).toContain("POST");
    expect(preflight.field("access-control-allow-headers")).toMatch(/mcp-protocol-version/i);
    expect((await stand.ask("GET", "/token")).status).toBe(405);
    expect((await stand.ask("PUT", "/authorize")).status).toBe(405);
    expect((await stand.ask("OPTIONS", "/authorize")).status).toBe(405);
    expect((await stand.ask("HEAD", "/.well-known/oauth-protected-resource")).status).toBe(200);
  });
});

describe("signing in", () => {
  it("gives tokens for the owner's code, with state and issuer in the answer (RFC 9207)", async () => {
    const stand = new Stand();
    const page = await stand.authorize();
    const decided = await stand.decide(page.ticket(), stand.code);
    const { origin, pathname, searchParams } = decided.onward();
    expect(`${origin}${pathname}`).toBe(REDIRECT);
    expect([searchParams.get("state"), searchParams.get("iss")]).toEqual(["a state & more", ORIGIN]);
    const issued = await stand.redeem(searchParams.get("code") ?? "");
    expect(issued.json()).toMatchObject({ token_type: "Bearer", expires_in: 1_800, scope: "mcp" });
    expect(issued.field("cache-control")).toBe("no-store");
    const { access, refresh } = tokensOf(issued);
    expect(stand.server.check(access)).toBe(true);
    for (const other of [refresh, "", access.slice(1), `${access} `, access.toUpperCase()])
      expect(stand.server.check(other)).toBe(false);
    expect(stand.notices.map(({ what }) => what)).toEqual(["code", "signed-in"]);
  });

  it("keeps what the redirect has in its query already", async () => {
    const stand = new Stand();
    const redirect = "https://app.example/cb?tenant=7";
    const { client_id } = (await stand.register({ redirect_uris: [redirect] })).json();
    const page = await stand.authorize({ client_id: String(client_id), redirect_uri: redirect });
    const url = (await stand.decide(page.ticket(), stand.code)).onward();
    expect([url.searchParams.get("tenant"), url.searchParams.has("code")]).toEqual(["7", true]);
  });

  it("takes a client of 2025-03-26, which names no resource and no scope", async () => {
    const stand = new Stand();
    const code = await stand.agreed({ resource: undefined, scope: undefined, state: undefined });
    const { access } = tokensOf(await stand.redeem(code, { resource: undefined }));
    expect(stand.server.check(access)).toBe(true);
  });

  it("lets an access token end after half an hour", async () => {
    const stand = new Stand();
    const { access } = await stand.signedIn();
    await stand.clock.advance(30 * MINUTE - 1);
    expect(stand.server.check(access)).toBe(true);
    await stand.clock.advance(1);
    expect(stand.server.check(access)).toBe(false);
  });

  it("voids all that was issued when the address changes or the exposure ends", async () => {
    const stand = new Stand();
    const { access, refresh } = await stand.signedIn();
    const code = await stand.agreed({ state: "two" });
    stand.server.publish(new URL(ORIGIN));
    expect(stand.server.check(access)).toBe(true);
    stand.server.publish(new URL("https://other-name.example"));
    expect(stand.server.check(access)).toBe(false);
    expect((await stand.renew(refresh)).json()).toMatchObject({ error: "invalid_grant" });
    expect((await stand.redeem(code)).json()).toMatchObject({ error: "invalid_grant" });
    expect((await stand.authorize()).body).toContain("cannot go on");
    const other = await new Stand().signedIn();
    expect(stand.server.check(other.access)).toBe(false);

    const ending = new Stand();
    const { access: last } = await ending.signedIn();
    ending.server.end();
    ending.server.end();
    expect(ending.server.check(last)).toBe(false);
    expect((await ending.authorize()).status).toBe(503);
    ending.server.publish(new URL(ORIGIN));
    expect((await ending.authorize()).status).toBe(503);
    expect(ending.server.resourceMetadata.href).toBe(`${ORIGIN}/.well-known/oauth-protected-resource/mcp`);
  });

  it("lets nobody sign in over plain http, but for a loopback address", async () => {
    const plain = new Stand({ origin: "http://192.0.2.7:8080" });
    expect((await plain.authorize()).status).toBe(403);
    expect((await plain.register({ redirect_uris: [REDIRECT] })).status).toBe(403);
    const local = new Stand({ origin: "http://127.0.0.1:4000" });
    expect((await local.ask("GET", "/.well-known/oauth-protected-resource")).json()).toMatchObject({
      resource: "http://127.0.0.1:4000/mcp",
    });
  });
});

describe("an authorization code", () => {
  it("is good for a minute", async () => {
    const stand = new Stand();
    const code = await stand.agreed();
    await stand.clock.advance(MINUTE);
    expect((await stand.redeem(code)).json()).toMatchObject({ error: "invalid_grant" });
  });

  it("ends all that came of it when it is shown a second time", async () => {
    const stand = new Stand();
    const code = await stand.agreed();
    const { access, refresh } = tokensOf(await stand.redeem(code));
    const renewed = tokensOf(await stand.renew(refresh));
    await stand.clock.advance(20 * MINUTE);
    expect((await stand.redeem(code)).json()).toMatchObject({ error: "invalid_grant" });
    expect([access, renewed.access].map((token) => stand.server.check(token))).toEqual([false, false]);
    expect((await stand.renew(renewed.refresh)).json()).toMatchObject({ error: "invalid_grant" });
    expect(stand.notices.at(-1)).toMatchObject({ what: "revoked", reused: "code" });
  });

  it.each([
    ["another verifier", { code_verifier: "w".repeat(43) }, "invalid_grant"],
    ["the challenge in its place", { code_verifier: CHALLENGE }, "invalid_grant"],
    ["a verifier that is too short", { code_verifier: "v".repeat(42) }, "invalid_grant"],
    ["no verifier", { code_verifier: undefined }, "invalid_request"],
    ["another client", { client_id: "https://evil.example/client.json" }, "invalid_grant"],
    ["a client that is not registered", { client_id: "client-1" }, "invalid_client"],
    ["no client", { client_id: undefined }, "invalid_request"],
    ["another way back", { redirect_uri: `${REDIRECT}/` }, "invalid_grant"],
    ["no way back", { redirect_uri: undefined }, "invalid_request"],
    ["another resource", { resource: "https://other.example/mcp" }, "invalid_target"],
    ["a resource of the same origin", { resource: ORIGIN }, "invalid_target"],
    ["one wrong resource among two", { resource: [RESOURCE, "https://other.example/mcp"] }, "invalid_target"],
    ["a verifier twice", { code_verifier: [VERIFIER, VERIFIER] }, "invalid_request"],
    ["another grant", { grant_type: "password" }, "unsupported_grant_type"],
    ["no grant", { grant_type: undefined }, "invalid_request"],
  ])("is refused with %s", async (_, over, error) => {
    const stand = new Stand();
    const refused = await stand.redeem(await stand.agreed(), over);
    expect(refused.status).toBe(error === "invalid_client" ? 401 : 400);
    expect(refused.json()).toEqual({ error, error_description: expect.any(String) });
    expect(refused.json()["access_token"]).toBeUndefined();
  });

  it("is used up by a wrong try: whoever has stolen it has one", async () => {
    const stand = new Stand();
    const code = await stand.agreed();
    await stand.redeem(code, { code_verifier: "w".repeat(43) });
    expect((await stand.redeem(code)).json()).toMatchObject({ error: "invalid_grant" });
  });

  it("is a form, and nothing else", async () => {
    const stand = new Stand();
    const body = JSON.stringify({ grant_type: "authorization_code", code: await stand.agreed() });
    const json = await stand.ask("POST", "/token", { fields: ["Content-Type", "application/json"], body });
    expect(json.json()).toMatchObject({ error: "invalid_request" });
    expect((await stand.ask("POST", "/token", { body: "grant_type=x" })).status).toBe(400);
  });
});

describe("a refresh token", () => {
  it("is replaced with each use", async () => {
    const stand = new Stand();
    let { access, refresh } = await stand.signedIn();
    for (let round = 0; round < 20; round += 1) {
      await stand.clock.advance(29 * MINUTE);
      const renewed = tokensOf(await stand.renew(refresh, { resource: RESOURCE }));
      expect(new Set([access, refresh, renewed.access, renewed.refresh]).size).toBe(4);
      ({ access, refresh } = renewed);
      expect(stand.server.check(access)).toBe(true);
    }
  });

  it("ends the whole family when it is used a second time", async () => {
    const stand = new Stand();
    const first = await stand.signedIn();
    const second = tokensOf(await stand.renew(first.refresh));
    const third = tokensOf(await stand.renew(second.refresh));
    const other = await stand.signedIn({ state: "another sign-in" });
    expect((await stand.renew(first.refresh)).json()).toMatchObject({ error: "invalid_grant" });
    expect([first, second, third].map(({ access }) => stand.server.check(access))).toEqual([
      false,
      false,
      false,
    ]);
    expect((await stand.renew(third.refresh)).json()).toMatchObject({ error: "invalid_grant" });
    expect(stand.server.check(other.access)).toBe(true);
    expect(stand.notices.at(-1)).toMatchObject({ what: "revoked", reused: "refresh-token" });
  });

  it("is bound to its client and resource, and ends when it is not used for two weeks", async () => {
    const stand = new Stand();
    const { refresh } = await stand.signedIn();
    const wrongClient = await stand.renew(refresh, { client_id: "https://evil.example/client.json" });
    expect(wrongClient.json()).toMatchObject({ error: "invalid_grant" });
    const wrongResource = await stand.renew(refresh, { resource: "https://other.example/mcp" });
    expect(wrongResource.json()).toMatchObject({ error: "invalid_target" });
    const renewed = tokensOf(await stand.renew(refresh));
    await stand.clock.advance(14 * 24 * 60 * MINUTE);
    expect((await stand.renew(renewed.refresh)).json()).toMatchObject({ error: "invalid_grant" });
  });

  it("is no access token, and an access token none", async () => {
    const stand = new Stand();
    const { access, refresh } = await stand.signedIn();
    expect(stand.server.check(refresh)).toBe(false);
    expect((await stand.renew(access)).json()).toMatchObject({ error: "invalid_grant" });
    expect(stand.server.check(access)).toBe(true);
  });
});

describe("revocation (RFC 7009)", () => {
  it("ends an access token alone, and with a refresh token all that came of the sign-in", async () => {
    const stand = new Stand();
    const first = await stand.signedIn();
    const second = tokensOf(await stand.renew(first.refresh));
    expect((await stand.post("/revoke", { token: first.access, client_id: DOCUMENT })).status).toBe(200);
    expect([first, second].map(({ access }) => stand.server.check(access))).toEqual([false, true]);
    await stand.post("/revoke", {
      token: second.refresh,
      token_type_hint: "access_token",
      client_id: DOCUMENT,
    });
    expect(stand.server.check(second.access)).toBe(false);
  });

  it("says nothing of tokens that are unknown, or another client's", async () => {
    const stand = new Stand();
    const { access } = await stand.signedIn();
    const answers = [
      await stand.post("/revoke", { token: "unknown", client_id: DOCUMENT }),
      await stand.post("/revoke", { token: access, client_id: "https://evil.example/client.json" }),
    ];
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, "{}"],
      [200, "{}"],
    ]);
    expect(stand.server.check(access)).toBe(true);
    expect((await stand.post("/revoke", {})).status).toBe(400);
  });
});

describe("what is remembered", () => {
  it("is bounded: clients, their access tokens and their used refresh tokens", async () => {
    const stand = new Stand();
    const first = await stand.signedIn({ state: "first" });
    let { refresh } = first;
    for (let round = 0; round < 400; round += 1) ({ refresh } = tokensOf(await stand.renew(refresh)));
    expect(stand.server.counts).toMatchObject({ grants: 1, access: 8, refresh: 257 });
    const others: string[] = [];
    for (let one = 0; one < 40; one += 1) {
      await stand.clock.advance(MINUTE);
      others.push((await stand.signedIn({ state: String(one) })).access);
    }
    expect(stand.server.counts).toMatchObject({ grants: 32, access: 32, refresh: 32 });
    expect(stand.server.check(others.at(-1) ?? "")).toBe(true);
    expect(stand.server.check(others[0] ?? "")).toBe(false);
  });
});
