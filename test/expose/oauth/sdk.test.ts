import { UnauthorizedError, type Client } from "@modelcontextprotocol/client";
import { describe, expect, it } from "vitest";
import type { SdkEra } from "../../bridge/support.ts";
import { App, APP_DOCUMENT, connection } from "./app.ts";
import { guarded, type Guarded } from "./guarded.ts";

const described = {
  client_id: APP_DOCUMENT,
  client_name: "An app",
  redirect_uris: ["http://127.0.0.1/callback"],
};

async function signedIn({ url, consent }: Guarded, app: App, era: SdkEra): Promise<Client> {
  const first = connection(url, app, era);
  await expect(first.client.connect(first.transport)).rejects.toThrow(UnauthorizedError);
  await first.transport.finishAuth((await consent(app.page ?? url)).searchParams);
  const { client, transport } = connection(url, app, era);
  await client.connect(transport);
  return client;
}

describe.each<SdkEra>(["legacy", "modern"])("the SDK's client in the %s era", (era) => {
  it.each([
    ["by registering itself", false],
    ["by its document", true],
  ])("finds its way in %s, calls a tool, and comes back with its refresh token", async (_, hasDocument) => {
    const place = await guarded({ [APP_DOCUMENT]: described });
    const app = new App({ hasDocument });
    const client = await signedIn(place, app, era);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("search_books");
    expect(place.asked.includes("POST /register")).toBe(!hasDocument);
    expect(app.page?.searchParams.get("resource")).toBe(place.url.href);
    const [before] = [app.issued];
    expect(before).toMatchObject({ token_type: "Bearer", scope: "mcp" });

    // The access token is over: the client renews it without anybody's help.
    const { access_token } = before ?? { access_token: "" };
    const body = new URLSearchParams({ token: access_token, client_id: app.information?.client_id ?? "" });
    await fetch(new URL("/revoke", place.url), { method: "POST", body });
    const result = await client.callTool({ name: "search_books", arguments: { q: "x" } });
    expect(JSON.stringify(result)).toMatch(/found x by \d+/);
    expect(app.issued?.refresh_token).not.toBe(before?.refresh_token);
    expect(place.notices.map(({ what }) => what)).toEqual(["code", "signed-in"]);
  });

  it("begins anew at a server that knows nothing of it any more, as after a new start", async () => {
    const place = await guarded();
    const app = new App({ hasDocument: false });
    await signedIn(place, app, era);
    const before = app.information;
    place.server.publish(new URL("http://127.0.0.1:1"));
    place.server.publish(new URL(place.url.origin));
    await signedIn(place, app, era);
    expect(app.information?.client_id).not.toBe(before?.client_id);
  });

  it("refuses an answer that names another issuer, since ours names itself (RFC 9207)", async () => {
    const place = await guarded();
    const app = new App({ hasDocument: false });
    const { client, transport } = connection(place.url, app, era);
    await expect(client.connect(transport)).rejects.toThrow(UnauthorizedError);
    const { searchParams } = await place.consent(app.page ?? place.url);
    searchParams.set("iss", "https://evil.example");
    await expect(transport.finishAuth(searchParams)).rejects.toThrow(/iss/i);
    expect(app.issued).toBeUndefined();
  });
});
