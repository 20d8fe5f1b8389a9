import { inspect } from "node:util";
import { UnauthorizedError } from "@modelcontextprotocol/client";
import { afterEach, describe, expect, it } from "vitest";
import { SignInDesk } from "../../../src/expose/oauth/desk.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { nodePrimitives as primitives } from "../../../src/runtime/primitives.ts";
import { realServer, send, type SdkEra } from "../../bridge/support.ts";
import { App, connection, consentAt } from "../oauth/app.ts";
import { cleanUp, exposuresOn, settled } from "../support.ts";

afterEach(cleanUp);

/** A stdio server that is exposed, with the authorization server in front of its token. */
async function exposed() {
  const signIns = new SignInDesk({ clock: systemClock, primitives, documents: undefined });
  const store = realServer("both");
  const { exposures } = exposuresOn(systemClock, {
    signIns,
    authorize: (about) => signIns.authorize(about),
    stdio: {
      commandNamed: () => Promise.resolve({ file: "unused", args: [], env: {}, cwd: "." }),
      start: () => store.start,
    },
  });
  const codes: string[] = [];
  exposures.subscribe((event) => {
    if (event.type === "sign-in" && event.notice.what === "code") codes.push(event.notice.code);
  });
  const { exposure } = exposures.start({ mcp: "store" }, { isConsented: true });
  await settled(exposure);
  return { exposures, exposure, url: exposure.publicUrl ?? new URL("none:"), codes };
}

/** Bodies and fields as text. */
function textOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
  if (Array.isArray(value)) return value.map(textOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, textOf(one)]));
}

describe.each<SdkEra>(["legacy", "modern"])("a client of the %s era that has no token", (era) => {
  it("signs in through the gateway, and nothing of that is recorded or news", async () => {
    const { exposures, exposure, url, codes } = await exposed();
    const app = new App({ hasDocument: false });
    const first = connection(url, app, era);
    await expect(first.client.connect(first.transport)).rejects.toThrow(UnauthorizedError);
    const onward = await consentAt(app.page ?? url, () => codes.at(-1) ?? "");
    await first.transport.finishAuth(onward.searchParams);
    const second = connection(url, app, era);
    await second.client.connect(second.transport);
    expect((await second.client.listTools()).tools.map(({ name }) => name)).toContain("search_books");

    const { requests } = exposure.inspector.list({ limit: 100 });
    const kept = inspect(requests.map(textOf), { depth: 20, maxStringLength: null, maxArrayLength: null });
    expect(kept).toContain("/authorize");
    const secrets = [
      codes[0],
      onward.searchParams.get("code"),
      app.issued?.access_token,
      app.issued?.refresh_token,
      app.codeVerifier(),
    ];
    for (const secret of secrets) {
      expect(secret).toMatch(/.{8}/);
      expect(kept).not.toContain(secret);
    }
    expect(exposures.news.take().map(({ notice }) => notice)).not.toContain("sign-in");
    await exposure.stop("stopped");
    expect(exposures.signIns).toEqual([]);
  });
});

describe("the gate", () => {
  it("names the metadata, takes the fixed token as well, and refuses a token of another exposure", async () => {
    const { exposure, url } = await exposed();
    const none = await send(url, {});
    expect(none.status).toBe(401);
    const metadata = new URL("/.well-known/oauth-protected-resource/mcp", url).href;
    expect(none.headers.get("www-authenticate")).toContain(`resource_metadata="${metadata}"`);
    expect(((await (await fetch(metadata)).json()) as { resource: string }).resource).toBe(url.href);
    expect((await send(url, {}, { Authorization: `Bearer ${exposure.ways.bearer ?? ""}` })).status).not.toBe(
      401,
    );
    expect((await send(url, {}, { Authorization: "Bearer x" })).headers.get("www-authenticate")).toContain(
      'error="invalid_token"',
    );
    const preflight = await fetch(new URL("/token", url), {
      method: "OPTIONS",
      headers: { Origin: "https://page.example", "Access-Control-Request-Method": "POST" },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
  });
});
