import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { findMadeToken } from "../../../src/relay/admin/admin-token.ts";
import { openAuthority } from "../../../src/relay/auth/open.ts";
import { aRelay, folder } from "../support.ts";
import { adminFor, asking, codeOf, managed, OPERATOR } from "./support.ts";

const GUARDED = [
  "/api/status",
  "/api/tunnels",
  "/api/tokens",
  "/api/history",
  "/api/tunnels/0123456789abcdef",
];
const ready = z.object({ ready: z.boolean(), reason: z.nullable(z.string()) });

describe("health", () => {
  it("is told to everybody, with the reason why it is not ready", async () => {
    const { relay, ask } = await managed();
    expect((await ask("/healthz", { token: "" })).status).toBe(200);
    const before = await ask("/readyz", { token: "" });
    expect([before.status, before.as(ready)]).toEqual([200, { ready: true, reason: null }]);
    await relay.drain({ backMs: 10, graceMs: 0 });
    const after = await ask("/readyz", { token: "" });
    expect([after.status, after.as(ready)]).toEqual([503, { ready: false, reason: "draining" }]);
    expect((await ask("/healthz", { token: "" })).status).toBe(200);
  });
});

describe("a token", () => {
  it("is needed for all that tells of tunnels, and compared in whole", async () => {
    const { ask } = await managed();
    for (const where of [...GUARDED, "/metrics"]) {
      const without = await ask(where, { token: "" });
      expect([where, without.status, codeOf(without)]).toEqual([where, 401, "token-missing"]);
      expect(without.headers["www-authenticate"]).toMatch(/^Bearer /);
      for (const token of [OPERATOR.slice(0, -1), `${OPERATOR}x`, OPERATOR.toUpperCase(), "x"]) {
        const wrong = await ask(where, { token });
        expect([wrong.status, codeOf(wrong)]).toEqual([401, "token-wrong"]);
      }
      expect([200, 404]).toContain((await ask(where)).status);
    }
    const basic = await ask("/api/status", { token: "", headers: { authorization: `Basic ${OPERATOR}` } });
    expect(basic.status).toBe(401);
    const lower = await ask("/api/status", { token: "", headers: { authorization: `bearer ${OPERATOR}` } });
    expect(lower.status).toBe(200);
  });

  it("can change while it runs", async () => {
    let token = OPERATOR;
    const { ask } = await managed({}, { chosenToken: () => token });
    token = "another-operator-token";
    expect((await ask("/api/status")).status).toBe(401);
    expect((await ask("/api/status", { token })).status).toBe(200);
  });

  it("is made on loopback where none is chosen, in a private file that ends with the run", async () => {
    const relay = await aRelay();
    const authority = openAuthority(false);
    const places = { state: undefined, folders: [folder()], platform: process.platform };
    const admin = await adminFor(relay, { authority, places, chosenToken: () => undefined });
    const { port, tokenFile = "" } = admin;
    if (process.platform !== "win32") expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    const token = readFileSync(tokenFile, "utf8").trim();
    expect(token).toHaveLength(43);
    expect(await findMadeToken(port, places)).toBe(token);
    expect((await asking(port, "/api/status", { token })).status).toBe(200);
    expect((await asking(port, "/api/status", { token: "" })).status).toBe(401);
    // Figures hold no names, and a scraper on this machine needs no set-up.
    expect((await asking(port, "/metrics", { token: "" })).status).toBe(200);
    await admin.close();
    expect(existsSync(tokenFile)).toBe(false);
    expect(await findMadeToken(port, places)).toBeUndefined();
  });

  it("is kept in the folder of the relay, and refused where that file is not this user's alone", async () => {
    const authority = openAuthority(false);
    const state = folder();
    const places = { state, folders: [], platform: process.platform };
    const relay = await aRelay();
    const options = { authority, places, chosenToken: () => undefined };
    const first = await adminFor(relay, options);
    const kept = readFileSync(first.tokenFile ?? "", "utf8").trim();
    await first.close();
    const second = await adminFor(relay, options);
    expect((await asking(second.port, "/api/status", { token: kept })).status).toBe(200);
    await second.close();
    writeFileSync(path.join(state, "admin-token"), "short\n");
    await expect(adminFor(relay, options)).rejects.toMatchObject({ code: "relay-state" });
  });

  it("is not made off loopback: then only health is answered", async () => {
    const relay = await aRelay();
    const places = { state: folder(), folders: [], platform: process.platform };
    const { port, tokenFile } = await adminFor(relay, {
      authority: openAuthority(false),
      host: "0.0.0.0",
      places,
      chosenToken: () => undefined,
    });
    expect(tokenFile).toBeUndefined();
    for (const where of [...GUARDED, "/metrics"]) {
      const answer = await asking(port, where);
      expect([answer.status, codeOf(answer)]).toEqual([403, "no-admin-token"]);
    }
    for (const where of ["/healthz", "/readyz", "/openapi.json"])
      expect((await asking(port, where, { token: "" })).status).toBe(200);
  });
});

describe("pages and names", () => {
  it("of others have no way in on loopback", async () => {
    const { ask, admin } = await managed();
    for (const host of ["evil.test", "evil.test:80", "localhost.evil.test", "10.0.0.1", "127.0.0.1.nip.io"]) {
      const answer = await ask("/healthz", { headers: { host } });
      expect([host, answer.status, codeOf(answer)]).toEqual([host, 403, "wrong-host"]);
    }
    for (const host of ["localhost", `127.0.0.1:${admin.port}`, "[::1]:1", "LOCALHOST:9"])
      expect([host, (await ask("/healthz", { headers: { host } })).status]).toEqual([host, 200]);
    for (const headers of [
      { origin: `http://127.0.0.1:${admin.port}` },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-origin" },
    ]) {
      const answer = await ask("/api/status", { headers });
      expect([answer.status, codeOf(answer)]).toEqual([403, "no-pages"]);
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
    expect((await ask("/healthz", { headers: { "sec-fetch-site": "none" } })).status).toBe(200);
  });

  it("off loopback may be any: the token decides", async () => {
    const { ask } = await managed({}, { host: "0.0.0.0" });
    expect((await ask("/api/status", { headers: { host: "relay:8081" } })).status).toBe(200);
  });
});

/** Bytes as they are, and all that comes back until the end. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
  let heard = "";
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  await once(socket, "close");
  return heard;
}

describe("a request", () => {
  it("that is none gets an answer in the one form, and the connection ends", async () => {
    const { admin } = await managed();
    for (const [text, status, code] of [
      [
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        400,
        "bad-request",
      ],
      [
        "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        400,
        "bad-request",
      ],
      ["NONSENSE\r\n\r\n", 400, "bad-request"],
      [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431, "head-too-long"],
    ] as const) {
      const heard = await raw(admin.port, text);
      expect(heard).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      const body = heard.slice(heard.indexOf("\r\n\r\n") + 4);
      expect(body).toContain(`{"error":{"code":"${code}"`);
    }
  });

  it("whose head does not come is ended", async () => {
    const { admin } = await managed();
    const heard = await raw(admin.port, "GET /healthz HTTP/1.1\r\nHost: loc");
    expect(heard).toMatch(/^HTTP\/1\.1 408 [\s\S]*"too-slow"/);
  }, 20_000);

  it("with a body, another method or unknown parameters is refused in the one form", async () => {
    const { ask } = await managed();
    const withBody = await ask("/api/status", { method: "POST", body: "x" });
    expect([withBody.status, codeOf(withBody)]).toEqual([413, "body-unwanted"]);
    for (const [where, method, allow] of [
      ["/api/status", "DELETE", "GET, HEAD"],
      ["/api/tunnels/0123456789abcdef", "PUT", "GET, HEAD, DELETE"],
      ["/healthz", "OPTIONS", "GET, HEAD"],
    ] as const) {
      const answer = await ask(where, { method });
      expect([answer.status, codeOf(answer), answer.headers["allow"]]).toEqual([405, "wrong-method", allow]);
    }
    for (const where of [
      "/api/tunnels?limit=0",
      "/api/tunnels?limit=501",
      "/api/tunnels?limit=1e2",
      "/api/tunnels?limit=5&limit=6",
      "/api/tunnels?kind=ftp",
      "/api/tunnels?offset=1",
      "/api/history?before=x",
      "/api/history?before=-1",
      "/api/status?x",
      "/healthz?x=1",
    ]) {
      const answer = await ask(where);
      expect([where, answer.status, codeOf(answer)]).toEqual([where, 400, "bad-request"]);
    }
    for (const where of [
      "/",
      "/api",
      "/api/",
      "/api/tunnels/",
      "/api/tunnels/a/b",
      "//healthz",
      "/healthz/",
      "/t/x",
    ]) {
      const answer = await ask(where);
      expect([where, answer.status, codeOf(answer)]).toEqual([where, 404, "not-found"]);
    }
    const head = await ask("/api/status", { method: "HEAD" });
    expect([head.status, head.text]).toEqual([200, ""]);
    expect(Number(head.headers["content-length"])).toBeGreaterThan(50);
  });
});
