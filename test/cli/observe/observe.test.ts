import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { brotliCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { observe, type ObserveOptions, type ObserveRequest } from "../../../src/cli/observe/observe.ts";
import { noExposures } from "../../../src/expose/exposures/lazy-exposures.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { noServices } from "../../../src/services/tunnels/lazy-services.ts";
import type { HostSession } from "../../../src/session/host-session.ts";
import type { Sessions } from "../../../src/session/sessions.ts";
import { ASSETS } from "../../page/support.ts";
import { hostRequest, sessionsOn } from "../../session/support.ts";
import { rejectedWith } from "../../support/rejection.ts";

let folder: string;
let ana: Sessions;
let host: HostSession;
let member: string;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "observe-"));
  const texts = Object.fromEntries([...ASSETS].map(([name, { text }]) => [name, text]));
  writeFileSync(path.join(folder, "page.br"), brotliCompressSync(JSON.stringify(texts)));
  ana = sessionsOn(systemClock);
  const opened = await ana.host(hostRequest("Agree on the API"));
  host = opened.hosting;
  member = opened.invites[0]?.joinLink ?? "";
});
afterEach(async () => {
  await ana.shutDown();
  rmSync(folder, { recursive: true });
});

const link = (): string => host.observerLinks(1, { history: false, minutes: 60 })[0]?.joinLink ?? "";

function run(asked: Partial<ObserveRequest>, over: Partial<ObserveOptions> = {}) {
  let out = "";
  let err = "";
  const hooks: (() => Promise<void>)[] = [];
  const input = new PassThrough();
  const done = observe({
    request: { kind: "observe", link: undefined, name: "cat", json: false, ...asked },
    sessions: () => Promise.resolve(sessionsOn(systemClock)),
    exposures: noExposures(),
    services: noServices(),
    folders: [],
    platform: process.platform,
    clock: systemClock,
    env: { SSH_CONNECTION: "10.0.0.9 50000 10.0.0.2 22" },
    cwd: folder,
    version: "0",
    output: { out: (text) => void (out += text), err: (text) => void (err += text), color: false },
    bundle: path.join(folder, "tunnel-mcp.cjs"),
    input,
    stdinIsTerminal: false,
    isInteractive: true,
    marksPaste: false,
    outputLost: new Promise(() => undefined),
    onShutdown: (hook) => void hooks.push(hook),
    ...over,
  });
  const shutDown = () => Promise.all(hooks.map((hook) => hook()));
  return { done, input, out: () => out, err: () => err, shutDown };
}

const events = (out: string): { event: string }[] =>
  out.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as { event: string }]));

describe("tunnel-mcp observe", () => {
  it("serves a page on which nothing can be done, and leaves when it is ended", async () => {
    const { done, input, out, err, shutDown } = run({ link: link() });
    await expect.poll(out).toContain("Safety code with the host");
    expect(out()).toContain('You read along in the tunnel "Agree on the API", as cat.');
    expect(out()).toContain("Everybody in it has been told");
    expect(host.presence().find(({ name }) => name === "cat")).toMatchObject({
      role: "observer",
      connected: true,
    });
    await expect.poll(out).toContain("press Enter here");
    input.write("\n");
    await expect.poll(out).toContain("The page on which you read along.");
    const [url = ""] = /http:\S+/.exec(out()) ?? [];
    const post = (to: string, body: object, token = "") =>
      fetch(new URL(to, url), {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      });
    const entered = await post("/enter", { code: new URL(url).hash.slice(1) });
    const { token } = (await entered.json()) as { token: string };
    expect((await post("/do", { server: "x", command: { do: "pause" } }, token)).status).toBe(403);
    await shutDown();
    expect(await done).toBe(0);
    await expect.poll(() => host.presence().map(({ name }) => name)).toEqual(["ana"]);
    expect(err()).toBe("");
    await expect(fetch(url)).rejects.toThrow();
  });

  it("says when the host has ended it, and stays until it is closed", async () => {
    const { done, out, shutDown } = run({ link: link() });
    await expect.poll(out).toContain("press Enter here");
    host.remove("cat");
    await expect.poll(out).toContain("You read along no longer: the host has removed this side from it.");
    await shutDown();
    expect(await done).toBe(0);
  });

  it("takes the link from the first line of an input, and nothing else of it", async () => {
    const { done, input, out, shutDown } = run({ json: true });
    input.write(`${link()}\n{"say":"I"}\n`);
    await expect.poll(() => events(out()).map(({ event }) => event)).toContain("joined");
    await host.close();
    expect(await done).toBe(0);
    expect(events(out()).at(-1)).toMatchObject({ event: "ended", cause: "closed-by-host" });
    expect(out()).not.toContain('"error"');
    await shutDown();
  });

  it("tells a person what is wrong with a link, and leaves it unused", async () => {
    expect(await rejectedWith(run({ link: member }).done)).toBe("member-link");
    expect(await rejectedWith(run({ link: "ws://x" }).done)).toBe("link-malformed");
    expect(await rejectedWith(run({ link: link(), name: "x".repeat(17) }).done)).toBe("name-invalid");
    expect(host.pendingInvites()).toHaveLength(2);
    const used = link();
    const first = run({ link: used });
    await expect.poll(first.out).toContain("press Enter here");
    expect(await rejectedWith(run({ link: used }).done)).toBe("invite-refused");
    await first.shutDown();
    await first.done;
  });

  it("needs a terminal for the page, and none for lines of JSON", async () => {
    expect(await rejectedWith(run({ link: link() }, { isInteractive: false }).done)).toBe(
      "observe-no-terminal",
    );
    const { done, out } = run({ link: member, json: true }, { isInteractive: false });
    expect(await done).toBe(1);
    expect(events(out())).toMatchObject([{ event: "error", code: "member-link" }]);
  });

  it("never shows the link", async () => {
    const secret = link();
    const { done, out, err, shutDown } = run({ link: secret });
    await expect.poll(out).toContain("press Enter here");
    await shutDown();
    await done;
    const [, key = ""] = /#1\.([^.]+)/.exec(secret) ?? [];
    expect(out() + err()).not.toContain(key);
  });
});
