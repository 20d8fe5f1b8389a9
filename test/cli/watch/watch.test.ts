import { noServices } from "../../../src/services/tunnels/lazy-services.ts";
import { noExposures } from "../../../src/expose/exposures/lazy-exposures.ts";
import { randomBytes } from "node:crypto";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { watch } from "../../../src/cli/watch/watch.ts";
import { writeDescriptor } from "../../../src/control/descriptor.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import type { Sessions } from "../../../src/session/sessions.ts";
import { Faces } from "../../../src/watch/faces.ts";
import { FakeTerminal } from "../../support/fake-terminal.ts";
import { until } from "../../support/processes.ts";
import { hostRequest, joinRequest, sessionsOn } from "../../session/support.ts";
import { recorder } from "../support.ts";
import { watchOptions } from "./support.ts";

let folder: string;
let stops: (() => unknown)[];
beforeEach(() => {
  // A socket's path must be short.
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), "w-")));
  stops = [];
});
afterEach(async () => {
  for (const stop of stops.toReversed()) await stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Serving {
  readonly sessions: Sessions;
  readonly stop: () => Promise<void>;
  readonly connections: () => number;
}

/** A server of this user as the view finds it. Its pid is that of a process that runs. */
async function serve(pid: number, version = "0", sessions = sessionsOn(systemClock)): Promise<Serving> {
  const token = randomBytes(32).toString("base64url");
  const name = `${pid}-${randomBytes(4).toString("hex")}`;
  const endpoint =
    process.platform === "win32" ? `\\\\.\\pipe\\tunnel-test-${name}` : path.join(folder, `${name}.sock`);
  const faces = new Faces({
    sessions,
    exposures: noExposures(),
    services: noServices(),
    clock: systemClock,
    server: { pid, version, folder },
  });
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    faces.accept(socket, (one) => one === token);
  });
  await new Promise<void>((resolve) => server.listen(endpoint, resolve));
  const place = { platform: process.platform, kind: "watch" } as const;
  const file = await writeDescriptor(folder, { pid, endpoint, token, folder }, place);
  const stop = async (): Promise<void> => {
    rmSync(file, { force: true });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  stops.push(stop, () => sessions.shutDown());
  return { sessions, stop, connections: () => connections };
}

function start(over: Parameters<typeof watchOptions>[2] = {}) {
  const terminal = new FakeTerminal(120);
  const hooks: (() => Promise<void>)[] = [];
  const output = recorder();
  const options = watchOptions(terminal, systemClock, {
    folders: [folder],
    output,
    onShutdown: (hook) => void hooks.push(hook),
    ...over,
  });
  const code = watch(options);
  const shutDown = async (): Promise<void> => {
    for (const hook of hooks) await hook();
  };
  stops.push(shutDown);
  const shows = (text: string) =>
    until(`on the screen: ${text}`, () => terminal.rows.join("\n").includes(text));
  return { terminal, code, shutDown, shows, output };
}

it("finds a server that starts later, decides in it, and says when it ends while something waits", async () => {
  const { terminal, shows, code } = start();
  await shows("Type help");
  const ana = await serve(process.pid);
  const { hosting, invites } = await ana.sessions.host(hostRequest("align the API"));
  const ben = sessionsOn(systemClock);
  stops.push(() => ben.shutDown());
  const guest = await ben.join(joinRequest(invites[0]?.joinLink));
  await shows("align the API");
  terminal.type("hold out\r");
  await shows("each message that leaves waits for you.");
  await hosting.say({ text: "may I?" });
  await shows("may I?");
  await new Promise((resolve) => setTimeout(resolve, 550));
  terminal.type("approve 1\r");
  await shows("1 is approved (watch)");
  await until("it has come", () => guest.inbox.unread > 0);
  await hosting.say({ text: "and this?" });
  await shows("and this?");
  await ana.stop();
  await shows("has gone with its server, and so has what waited.");
  expect(terminal.title).toBe("tunnel-mcp watch");
  terminal.type("quit\r");
  expect(await code).toBe(0);
});

it("H12: after a cut it comes back by itself, with what waits", async () => {
  const sessions = sessionsOn(systemClock);
  const first = await serve(process.pid, "0", sessions);
  const { hosting } = await sessions.host(hostRequest("align the API"));
  hosting.oversight.hold("out", { path: "watch" });
  await hosting.say({ text: "may I?" });
  const { terminal, shows } = start();
  await shows("may I?");
  await first.stop();
  await shows("has gone with its server");
  const before = terminal.rows.filter((row) => row.startsWith("? 1")).length;
  await serve(process.pid, "0", sessions);
  await until(
    "it is asked again",
    () => terminal.rows.filter((row) => row.startsWith("? 1")).length > before,
  );
});

it("leaves a server of another version alone, and asks it only once", async () => {
  const old = await serve(process.pid, "0.0.9");
  const { shows } = start();
  await shows("runs version 0.0.9, and this is 0: restart its client.");
  await new Promise((resolve) => setTimeout(resolve, 2_200));
  expect(old.connections()).toBe(1);
});

it("--json is a line for each event, hides nothing and decides nothing", async () => {
  const ana = await serve(process.pid);
  const { hosting } = await ana.sessions.host(hostRequest("align the API"));
  hosting.oversight.hold("out", { path: "watch" });
  const { terminal, output, code, shutDown } = start({ isJson: true, isInteractive: false });
  await until("it has begun", () => output.stdout().includes('"hello"'));
  await hosting.say({ text: "may\u202e I?" });
  await until("it is asked", () => output.stdout().includes('"ask"'));
  terminal.type("approve 1\r");
  await shutDown();
  expect(await code).toBe(0);
  for (const line of output.stdout().trimEnd().split("\n"))
    expect(JSON.parse(line)).toMatchObject({ server: String(process.pid) });
  expect([output.stdout().includes("\u202e"), terminal.raw]).toEqual([false, ""]);
  expect(ana.sessions.overseer.asks.waiting).toHaveLength(1);
});
