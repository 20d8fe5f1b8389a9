import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LazyExposures } from "../../src/expose/exposures/lazy-exposures.ts";
import { SignInDesk } from "../../src/expose/oauth/desk.ts";
import type { SignInNotice } from "../../src/expose/oauth/notices.ts";
import type { AuthorizationServer } from "../../src/expose/oauth/server.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { nodePrimitives as primitives } from "../../src/runtime/primitives.ts";
import { noServices } from "../../src/services/tunnels/lazy-services.ts";
import { WatchClient } from "../../src/watch/client.ts";
import { Faces } from "../../src/watch/faces.ts";
import type { WatchEvent } from "../../src/watch/protocol.ts";
import { cleanUp, exposuresOn, hello, service } from "../expose/support.ts";
import { sessionsOn } from "../session/support.ts";
import { clientOf } from "./room.ts";

const TOKEN = "t".repeat(43);
const ORIGIN = "https://quiet-river.example";
const REDIRECT = "https://app.example/cb";

let folder: string;
let server: Server;
const clients: WatchClient[] = [];

beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), "sign-in-"))));
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await new Promise((resolve) => server.close(resolve));
  await cleanUp();
  rmSync(folder, { recursive: true });
});

/** A server whose agent has exposed something, with an authorization server in front of it, and with a way in for faces. */
async function scene() {
  const signIns = new SignInDesk({ clock: systemClock, primitives, documents: undefined });
  const { exposures } = exposuresOn(systemClock, { signIns });
  const lazy = new LazyExposures(async () => exposures);
  const sessions = sessionsOn(systemClock);
  const heard: unknown[] = [];
  const call = await clientOf(sessions, systemClock, {
    as: { name: "claude-code", version: "2.1.332" },
    exposures: lazy,
    onMessage: (message) => void heard.push(message),
  });
  await call("expose_start", { target: await service(hello) });
  const [exposure] = exposures.all;
  if (exposure === undefined) throw new Error("nothing is exposed");
  const authorization = signIns.authorize({ exposureId: exposure.id, name: exposure.name });
  authorization.publish(new URL(ORIGIN));
  const faces = new Faces({
    sessions,
    exposures: lazy,
    services: noServices(),
    clock: systemClock,
    server: { pid: 1, version: "0", folder: "/w" },
  });
  server = createServer((socket) => faces.accept(socket, (token) => token === TOKEN));
  await new Promise<void>((resolve) => server.listen(path.join(folder, "s"), resolve));
  return { call, exposures, exposure, authorization, signIns, heard };
}

/** What a person's face is told. */
function face(): string[] {
  const told: string[] = [];
  const event = (one: WatchEvent): void => void (one.t === "exposure" && told.push(one.what ?? ""));
  clients.push(
    new WatchClient({ endpoint: path.join(folder, "s"), token: TOKEN }, "0", {
      event,
      closed: () => undefined,
    }),
  );
  return told;
}

/** A client comes to the page. @returns the code that the owner is shown */
async function asks(authorization: AuthorizationServer): Promise<string> {
  const ask = async (method: string, target: string, fields: string[] = [], body = ""): Promise<string> =>
    (await authorization.handle({ method, target, fields, body, source: "192.0.2.1" }))?.body ?? "";
  const metadata = JSON.stringify({ redirect_uris: [REDIRECT], client_name: "An app" });
  const registered = await ask("POST", "/register", ["Content-Type", "application/json"], metadata);
  const { client_id } = JSON.parse(registered) as { client_id: string };
  const query = new URLSearchParams({
    client_id,
    redirect_uri: REDIRECT,
    response_type: "code",
    code_challenge: "c".repeat(43),
    code_challenge_method: "S256",
  });
  await ask("GET", `/authorize?${query.toString()}`);
  const [notice]: readonly (SignInNotice | undefined)[] = authorization.waiting;
  return notice?.what === "code" ? notice.code : "none";
}

describe("the code of a sign-in", () => {
  it("is shown to a person's faces, also to one that comes later", async () => {
    const { authorization } = await scene();
    const early = face();
    await expect.poll(() => clients.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const code = await asks(authorization);
    const sentence = `a program that calls itself "An app" asks to be let in; the answer goes to app.example. If you have just asked for that yourself, type ${code} on the page ${ORIGIN}/authorize, and nowhere else. If not, do nothing`;
    await expect.poll(() => early).toContain(sentence);
    const late = face();
    await expect.poll(() => late).toContain(sentence);
    authorization.end();
    const last = face();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(last).toEqual([]);
  });

  it("is in no result of a tool, and in no message of MCP", async () => {
    const { call, exposures, exposure, authorization, heard } = await scene();
    const told: string[] = [];
    exposures.subscribe(
      (event) => void (event.type === "sign-in" && told.push(JSON.stringify(event.notice))),
    );
    const listening = call("tunnel_listen", { timeoutMs: 500 });
    const code = await asks(authorization);
    expect(code).toMatch(/^[B-Z]{4}-[B-Z]{4}$/);
    expect(told.join("\n")).toContain(code);
    const results = [
      await listening,
      await call("tunnel_listen", { timeoutMs: 0 }),
      await call("expose_list", {}),
      await call("expose_requests", {}),
      await call("tunnel_status", {}),
      await call("expose_start", { target: exposure.request.targetText }),
      await call("expose_stop", { name: exposure.name }),
    ];
    for (const result of results) expect(result).not.toHaveProperty("error");
    expect(exposures.news.unread).toBe(0);
    const all = JSON.stringify([results, heard]);
    expect(heard.length).toBeGreaterThan(results.length);
    for (const part of [code, code.replace("-", ""), code.slice(0, 4), code.slice(5)])
      expect(all).not.toContain(part);
    expect(all).not.toContain("sign-in");
  });
});
