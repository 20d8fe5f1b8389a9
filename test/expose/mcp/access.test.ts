import { describe, expect, it } from "vitest";
import type {
  Authorization,
  AuthorizationRequest,
  AuthorizationResponse,
} from "../../../src/expose/authorization.ts";
import type { Admission } from "../../../src/expose/gate.ts";
import { McpAccess, type McpAccessOptions } from "../../../src/expose/mcp/access.ts";
import { valuesOf, type OwnAnswer, type RawFields } from "../../../src/expose/message.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { seededPrimitives } from "../../support/random.ts";

const ORIGIN = "https://quiet-river.example";
const PAGE = "https://app.example";

interface Visit {
  readonly method?: string;
  readonly target?: string;
  readonly fields?: RawFields;
  readonly address?: string;
  readonly isUpgrade?: boolean;
}

function door(options: Partial<McpAccessOptions> = {}) {
  const clock = new FakeClock();
  const access = new McpAccess({
    kind: "bearer",
    origins: [],
    keepsAddress: true,
    clock,
    primitives: seededPrimitives("mcp"),
    ...options,
  });
  access.publish(new URL(ORIGIN));
  const token = access.waysIn().bearer ?? "";
  const visit = ({
    method = "POST",
    target = "/mcp",
    fields = [],
    address = "192.0.2.1",
    isUpgrade = false,
  }: Visit) => access.gate.judge({ method, target, fields }, { address }, { isUpgrade });
  return { access, clock, token, visit, withToken: ["Authorization", `Bearer ${token}`] };
}

function answerOf(admission: Admission): OwnAnswer {
  if (admission.kind !== "answer") throw new Error(`no answer but ${admission.kind}`);
  return admission.answer;
}

function statusOf(admission: Admission): number | string {
  return admission.kind === "answer" ? admission.answer.status : admission.kind;
}

function passedOf(admission: Admission): Extract<Admission, { kind: "pass" }> {
  if (admission.kind !== "pass") throw new Error(`not let in: ${JSON.stringify(admission)}`);
  return admission;
}

describe("the token of an MCP server", () => {
  it("lets in whoever shows it as Bearer, in any case of the word, and goes no further", () => {
    const { visit, token } = door();
    for (const value of [`Bearer ${token}`, `bearer ${token}`, ` BEARER\t${token} `]) {
      const { way, fields, target } = passedOf(
        visit({
          target: "/mcp?x=%2f",
          fields: ["authorization", value, "Cookie", "a=b", "Mcp-Method", "ping"],
        }),
      );
      expect({ way, fields, target }).toEqual({
        way: "bearer",
        fields: ["Mcp-Method", "ping"],
        target: "/mcp?x=%2f",
      });
    }
    expect(token).toMatch(/^[\w-]{32}$/);
  });

  it("is asked for with a challenge, which tells a wrong one from none, and is in no answer", () => {
    const { visit, token } = door();
    const none = answerOf(visit({}));
    expect(none).toMatchObject({ status: 401, why: "no-access" });
    expect(valuesOf(none.fields ?? [], "www-authenticate")).toEqual(['Bearer realm="tunnel"']);
    const wrong = answerOf(visit({ fields: ["Authorization", "Bearer nothing"] }));
    expect(valuesOf(wrong.fields ?? [], "www-authenticate")).toEqual([
      'Bearer realm="tunnel", error="invalid_token"',
    ]);
    expect(JSON.stringify([none, wrong])).not.toContain(token);
  });

  it.each([
    ["in another scheme", (token: string) => ["Authorization", `Basic ${token}`]],
    ["without a scheme", (token: string) => ["Authorization", token]],
    ["twice", (token: string) => ["Authorization", `Bearer ${token}`, "Authorization", `Bearer ${token}`]],
    ["with a word behind it", (token: string) => ["Authorization", `Bearer ${token} ${token}`]],
    ["cut", (token: string) => ["Authorization", `Bearer ${token.slice(0, -1)}`]],
    ["longer", (token: string) => ["Authorization", `Bearer ${token}A`]],
    ["in the field of other exposures", (token: string) => ["X-Tunnel-Token", token]],
    ["in a cookie", (token: string) => ["Cookie", `token=${token}`]],
  ])("is no way in %s", (_how, fieldsFor) => {
    const { visit, token } = door();
    expect(statusOf(visit({ fields: fieldsFor(token) }))).toBe(401);
    expect(statusOf(visit({ target: `/mcp?access_token=${token}` }))).toBe(401);
  });

  it("is guessed 20 times from one source, then 429; the right one always gets in", () => {
    const { visit, withToken } = door();
    const wrong = { fields: ["Authorization", "Bearer guess"] };
    for (let turn = 0; turn < 20; turn += 1) expect(statusOf(visit(wrong))).toBe(401);
    const late = answerOf(visit(wrong));
    expect(late.status).toBe(429);
    expect(Number(valuesOf(late.fields ?? [], "retry-after")[0])).toBeGreaterThan(0);
    expect(statusOf(visit({ fields: withToken }))).toBe("pass");
    expect(statusOf(visit({ ...wrong, address: "198.51.100.7" }))).toBe(401);
    // Whoever shows nothing guesses nothing.
    for (let turn = 0; turn < 30; turn += 1) expect(statusOf(visit({}))).toBe(401);
  });

  it("opens nothing once the exposure is over", () => {
    const { access, visit, withToken } = door();
    access.end();
    expect(statusOf(visit({ fields: withToken }))).toBe(410);
  });

  it("is not needed where its owner has asked for open, which is warned of", () => {
    const { access, visit } = door({ kind: "open" });
    expect(passedOf(visit({ fields: ["Authorization", "Bearer x"] }))).toMatchObject({
      way: "open",
      fields: [],
    });
    expect(access.waysIn()).toMatchObject({ open: { for: expect.any(String) } });
    expect(access.waysIn().bearer).toBeUndefined();
    expect(access.waysIn().warnings.join()).toContain("Anybody");
  });
});

describe("an MCP server's paths", () => {
  it("are /mcp alone; what is below /.tunnel/ is ours, and no WebSocket is opened", () => {
    const { visit, withToken: fields } = door();
    for (const target of ["/mcp", "/mcp/", "/mcp?a", "/mcp/?a"])
      expect(statusOf(visit({ target, fields }))).toBe("pass");
    for (const target of [
      "/",
      "/mcpx",
      "/mcp/x",
      "/MCP",
      "/%6dcp",
      "//mcp",
      "/.well-known/oauth-protected-resource",
    ])
      expect(statusOf(visit({ target, fields }))).toBe(404);
    expect(statusOf(visit({ target: "/.tunnel/claim", fields }))).toBe(404);
    expect(statusOf(visit({ method: "GET", fields, isUpgrade: true }))).toBe(403);
  });
});

describe("web pages", () => {
  it("are refused, with the token as well, unless their origin is allowed", () => {
    const { visit, withToken } = door({ origins: [PAGE] });
    for (const origin of [
      "https://evil.example",
      "null",
      "http://app.example",
      `${PAGE}:8443`,
      `${PAGE}.evil.example`,
    ])
      expect(answerOf(visit({ fields: [...withToken, "Origin", origin] })).why).toBe("foreign-page");
    expect(
      statusOf(visit({ fields: [...withToken, "Origin", PAGE, "Origin", "https://evil.example"] })),
    ).toBe(403);
    expect(statusOf(visit({ fields: ["Origin", PAGE] }))).toBe(401);
    const passed = passedOf(visit({ fields: [...withToken, "Origin", PAGE] }));
    expect(passed.fields).toEqual([]);
    const { fields } = passed.respond({ status: 200, reason: "", fields: ["CDN-Cache-Control", "public"] });
    expect(valuesOf(fields, "access-control-allow-origin")).toEqual([PAGE]);
    expect(valuesOf(fields, "cdn-cache-control")).toEqual(["no-store"]);
  });

  it("ask first, without a credential, and are told what they may send", () => {
    const { visit } = door({ origins: [PAGE] });
    const ask = (origin: string, names: string) =>
      visit({
        method: "OPTIONS",
        fields: [
          "Origin",
          origin,
          "Access-Control-Request-Method",
          "POST",
          "Access-Control-Request-Headers",
          names,
        ],
      });
    const { status, fields = [] } = answerOf(ask(PAGE, "authorization,mcp-param-x"));
    expect(status).toBe(200);
    expect(valuesOf(fields, "access-control-allow-headers")).toEqual(["authorization,mcp-param-x"]);
    expect(valuesOf(answerOf(ask(PAGE, "a;b")).fields ?? [], "access-control-allow-headers")).toEqual([]);
    expect(statusOf(ask("https://evil.example", "authorization"))).toBe(403);
  });
});

class Scripted implements Authorization {
  readonly resourceMetadata = new URL(`${ORIGIN}/.well-known/oauth-protected-resource/mcp`);
  readonly asked: AuthorizationRequest[] = [];
  readonly told: string[] = [];
  answer: () => Promise<AuthorizationResponse | undefined> = () =>
    Promise.resolve({
      status: 200,
      fields: ["Content-Type", "application/json"],
      body: '{"access_token":"t"}',
    });

  publish(origin: URL): void {
    this.told.push(origin.origin);
  }
  handle(request: AuthorizationRequest): Promise<AuthorizationResponse | undefined> {
    this.asked.push(request);
    return this.answer();
  }
  check(token: string): boolean {
    return token === "issued";
  }
  end(): void {
    this.told.push("end");
  }
}

describe("an authorization in front of the gate", () => {
  const inquiry = async (admission: Admission, body = ""): Promise<OwnAnswer> => {
    if (admission.kind !== "inquiry") throw new Error(admission.kind);
    return admission.inquire(body);
  };

  it("answers its own paths before the gate and the check of pages, in private", async () => {
    const authorization = new Scripted();
    const { visit } = door({ authorization });
    const admission = visit({
      target: "/oauth/token",
      fields: ["Origin", "https://evil.example", "Authorization", "Basic x"],
      address: "192.0.2.9",
    });
    expect(await inquiry(admission, "grant_type=x")).toMatchObject({ status: 200, isPrivate: true });
    expect(authorization.asked).toMatchObject([
      { target: "/oauth/token", body: "grant_type=x", source: "192.0.2.9" },
    ]);
    expect(admission.kind === "inquiry" && admission.shown.fields).toEqual([
      "Origin",
      "https://evil.example",
    ]);
  });

  it("says which tokens are valid besides the fixed one, and where a client finds out", () => {
    const { visit, withToken } = door({ authorization: new Scripted() });
    expect(passedOf(visit({ fields: ["Authorization", "Bearer issued"] }))).toMatchObject({
      way: "oauth",
      fields: [],
    });
    expect(passedOf(visit({ fields: withToken })).way).toBe("bearer");
    const none = answerOf(visit({ method: "GET" }));
    expect(valuesOf(none.fields ?? [], "www-authenticate")).toEqual([
      `Bearer realm="tunnel", resource_metadata="${ORIGIN}/.well-known/oauth-protected-resource/mcp"`,
    ]);
  });

  it("that does not know a path, or fails, lets nobody in", async () => {
    const authorization = new Scripted();
    const { visit } = door({ authorization });
    authorization.answer = () => Promise.resolve(undefined);
    expect(await inquiry(visit({ target: "/other" }))).toMatchObject({ status: 404 });
    authorization.answer = () => Promise.reject(new Error("hunter2"));
    const failed = await inquiry(visit({ target: "/oauth/x" }));
    expect(failed.status).toBe(500);
    expect(JSON.stringify(failed)).not.toContain("hunter2");
  });

  it("is told of the address and of the end, after which it is not asked", async () => {
    const authorization = new Scripted();
    const { access, visit } = door({ authorization });
    const before = visit({ target: "/oauth/token" });
    access.end();
    expect(await inquiry(before)).toMatchObject({ status: 410 });
    expect(authorization.told).toEqual([ORIGIN, "end"]);
    expect(authorization.asked).toEqual([]);
  });
});
