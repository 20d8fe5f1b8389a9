import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createConnection, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { ACTIONS, defineAction, peekSchema, type Actions } from "../../src/control/actions.ts";
import { ask } from "../../src/control/ask.ts";
import { readDescriptors, type Descriptor } from "../../src/control/descriptor.ts";
import { Endpoint, LOOK_MS, MAX_CONNECTIONS } from "../../src/control/endpoint.ts";
import { answerQuestions, REQUEST_MS } from "../../src/control/questions.ts";
import { MAX_REQUEST_BYTES } from "../../src/control/messages.ts";
import { must } from "../../src/errors/must.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { systemClock, type Clock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { until } from "../support/processes.ts";

const POSIX = process.platform !== "win32";
const { platform, pid } = process;

let root: string;
let sessions: Sessions;
let endpoints: Endpoint[];
let sockets: Socket[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-endpoint-"));
  sessions = sessionsOn(systemClock);
  endpoints = [];
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await sessions.shutDown();
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
  rmSync(root, { recursive: true, force: true });
});

function endpointIn(
  folders: readonly string[],
  { clock = systemClock, actions = ACTIONS }: { clock?: Clock; actions?: Actions } = {},
): Endpoint {
  const identity = { session: "s", folder: root };
  const endpoint = new Endpoint({
    begins: sessions.onNews,
    clock,
    accept: answerQuestions({ sessions, clock, actions }),
    kind: "ask",
    identity,
    folders,
    platform,
    pid,
  });
  endpoints.push(endpoint);
  return endpoint;
}

/** An endpoint with a tunnel behind it, and how it is found. */
async function opened(more: { clock?: Clock; actions?: Actions } = {}) {
  const folder = join(root, "control");
  const endpoint = endpointIn([folder], more);
  const { hosting } = await sessions.host(hostRequest());
  await until("the endpoint is open", () => endpoint.state === "open");
  const [descriptor] = await readDescriptors([folder], platform);
  if (descriptor === undefined) throw new Error("no descriptor");
  return { endpoint, folder, descriptor, tunnelId: hosting.tunnelId };
}

function connect({ endpoint }: Descriptor): Socket {
  const socket = createConnection(endpoint);
  socket.on("error", () => undefined);
  sockets.push(socket);
  return socket;
}

/** What comes back for these bytes, to the end of the connection. */
async function answerTo(descriptor: Descriptor, bytes: string | Buffer): Promise<string> {
  const socket = connect(descriptor);
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(bytes);
  await once(socket, "close");
  return text;
}

const peek = (descriptor: Descriptor) =>
  ask(descriptor, { action: "peek", input: {}, result: peekSchema }, systemClock);

describe("the local endpoint", () => {
  it("is not there before the first tunnel, and nothing is left of it after the end", async () => {
    const folder = join(root, "control");
    const endpoint = endpointIn([folder]);
    expect([endpoint.state, existsSync(folder)]).toEqual(["unopened", false]);
    await sessions.host(hostRequest());
    await until("the endpoint is open", () => endpoint.state === "open");
    expect(readdirSync(folder)).toContain(`${pid}.json`);
    await endpoint.close();
    expect([endpoint.state, existsSync(folder)]).toEqual(["closed", false]);
  });

  it("is made anew where its files are removed, and looks for that by itself", async () => {
    const clock = new FakeClock();
    const { endpoint, folder, descriptor: first, tunnelId } = await opened({ clock });
    const waiting = connect(first);
    waiting.write(
      `${JSON.stringify({ token: first.token, action: "wait", input: { tunnelId, timeoutMs: 60_000 } })}\n`,
    );
    await until("somebody waits", () => endpoint.connections === 1);
    rmSync(folder, { recursive: true });
    await clock.advance(LOOK_MS);
    await until("it is there again", () => existsSync(join(folder, `${pid}.json`)));
    const [descriptor] = await readDescriptors([folder], platform);
    expect(
      await ask(
        must(descriptor, "a descriptor"),
        { action: "peek", input: {}, result: peekSchema },
        systemClock,
      ),
    ).toMatchObject({ tunnels: [{ status: "open" }] });
    await until("only who waits is left", () => endpoint.connections === 1);
    expect(waiting.destroyed).toBe(false);
    await endpoint.close();
    expect([endpoint.state, existsSync(folder)]).toEqual(["closed", false]);
  });

  it("tells why others cannot find it, and opens once they can; a folder that was removed is not brought back", async () => {
    const away = join(root, "away");
    const endpoint = endpointIn([join(away, "control")]);
    await sessions.host(hostRequest());
    await until("it was tried", () => endpoint.state === "unavailable");
    expect([endpoint.problem?.code, existsSync(away)]).toEqual(["private-folder-unusable", false]);
    mkdirSync(away);
    await endpoint.look();
    expect([endpoint.state, endpoint.problem]).toEqual(["open", undefined]);
  });

  it("closed while it is being opened leaves nothing either", async () => {
    const folder = join(root, "control");
    const endpoint = endpointIn([folder]);
    await sessions.host(hostRequest());
    await endpoint.close();
    expect([endpoint.state, existsSync(folder)]).toEqual(["closed", false]);
  });

  it("closed twice at once is gone for both who wait", async () => {
    const { endpoint, folder } = await opened();
    void endpoint.close();
    await endpoint.close();
    expect([endpoint.state, existsSync(folder)]).toEqual(["closed", false]);
  });

  it.skipIf(!POSIX)("is for this user alone: folder 0700, socket and descriptor 0600", async () => {
    const { folder, descriptor } = await opened();
    const mode = (path: string): number => statSync(path).mode & 0o777;
    expect(mode(folder)).toBe(0o700);
    expect(mode(descriptor.endpoint)).toBe(0o600);
    expect(mode(join(folder, `${pid}.json`))).toBe(0o600);
  });

  it.skipIf(!POSIX)("takes the next folder where one is a link, and says so where none is left", async () => {
    const link = join(root, "link");
    mkdirSync(join(root, "target"));
    symlinkSync(join(root, "target"), link);
    const file = join(root, "file");
    writeFileSync(file, "");
    const good = join(root, "good");
    const first = endpointIn([link, file, good]);
    const second = endpointIn([link, file]);
    await sessions.host(hostRequest());
    await until("both have decided", () => first.state !== "unopened" && second.state !== "unopened");
    expect([first.state, second.state]).toEqual(["open", "unavailable"]);
    expect(readdirSync(join(root, "target"))).toEqual([]);
    expect(readdirSync(good)).toContain(`${pid}.json`);
  });

  it.skipIf(!POSIX || process.getuid?.() !== 0)(
    "does not use a folder of another user (root only)",
    async () => {
      const foreign = join(root, "foreign");
      mkdirSync(foreign, { mode: 0o700 });
      execFileSync("chown", ["12345", foreign]);
      const endpoint = endpointIn([foreign]);
      await sessions.host(hostRequest());
      await until("it has decided", () => endpoint.state !== "unopened");
      expect([endpoint.state, readdirSync(foreign)]).toEqual(["unavailable", []]);
      expect(await readDescriptors([foreign], platform)).toEqual([]);
    },
  );

  it.skipIf(!POSIX)("corrects the permissions of a folder of its own", async () => {
    const folder = join(root, "control");
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    const { endpoint } = await opened();
    expect([endpoint.state, statSync(folder).mode & 0o777]).toEqual(["open", 0o700]);
  });

  it("removes what a killed server has left, and leaves a folder that another server uses", async () => {
    const folder = join(root, "control");
    mkdirSync(folder, { mode: 0o700 });
    const dead = 2 ** 22 + 1; // above the highest number that Linux gives
    writeFileSync(join(folder, `${dead}.json`), "{}");
    writeFileSync(join(folder, `${dead}-ab.sock`), "");
    writeFileSync(join(folder, `${process.ppid}.json`), "{}");
    const { endpoint } = await opened();
    expect(readdirSync(folder).filter((name) => name.startsWith(`${dead}`))).toEqual([]);
    await endpoint.close();
    expect(readdirSync(folder)).toEqual([`${process.ppid}.json`]);
  });
});

describe("a request", () => {
  it("with the token is answered, without any words or links", async () => {
    const { descriptor, tunnelId } = await opened();
    expect(await peek(descriptor)).toEqual({
      tunnels: [{ id: tunnelId, status: "open", unread: 0, arrived: 0 }],
    });
  });

  const bad: [string, (token: string) => string | Buffer][] = [
    ["a wrong token", () => request({ token: "x".repeat(43), action: "peek" })],
    ["a token that is only a beginning", (token) => request({ token: token.slice(0, -1), action: "peek" })],
    ["no token", () => request({ action: "peek" })],
    ["a token that is no text", () => request({ token: 1, action: "peek" })],
    ["an action that does not exist", (token) => request({ token, action: "read" })],
    ["an action of every object", (token) => request({ token, action: "constructor" })],
    ["a field that does not exist", (token) => request({ token, action: "peek", more: 1 })],
    ["no JSON", () => "peek\n"],
    ["no object", () => "null\n"],
    ["an empty line", () => "\n"],
    ["bytes that are no text", () => Buffer.from([0xff, 0xfe, 0, 0x80, 10])],
  ];
  it.each(bad)("with %s is refused, and the server goes on", async (_, bytes) => {
    const { descriptor } = await opened();
    const answer = await answerTo(descriptor, bytes(descriptor.token));
    expect(JSON.parse(answer)).toEqual({ ok: false, code: "control-failed" });
    expect((await peek(descriptor)).tunnels).toHaveLength(1);
  });

  it.each<[string, object]>([
    ["an argument that does not exist", { action: "peek", input: { tunnelID: "x" } }],
    ["an argument of another type", { action: "peek", input: { tunnelId: 1 } }],
    ["no time to wait", { action: "wait", input: {} }],
    ["a time that is too long", { action: "wait", input: { timeoutMs: 1e9 } }],
    ["input that is no object", { action: "peek", input: [] }],
  ])("with %s is told so", async (_, message) => {
    const { descriptor } = await opened();
    const answer = await answerTo(descriptor, request({ token: descriptor.token, ...message }));
    expect(JSON.parse(answer)).toEqual({ ok: false, code: "input-invalid" });
  });

  it("for a tunnel that is not here is told so", async () => {
    const { descriptor } = await opened();
    const question = { action: "peek", input: { tunnelId: "none" }, result: peekSchema };
    const asked = ask(descriptor, question, systemClock);
    await expect(asked).rejects.toMatchObject({ code: "tunnel-unknown" });
  });

  it("that is too long is cut off at the limit and not after, also when it never ends", async () => {
    const { descriptor } = await opened();
    const line = request({ token: descriptor.token, action: "peek" });
    const padded = (size: number): string => `${line.trimEnd().padEnd(size)}\n`;
    expect(JSON.parse(await answerTo(descriptor, padded(MAX_REQUEST_BYTES)))).toMatchObject({ ok: true });
    expect(await answerTo(descriptor, padded(MAX_REQUEST_BYTES + 1))).toBe("");
    expect(await answerTo(descriptor, "x".repeat(MAX_REQUEST_BYTES + 1))).toBe("");
  });

  it("that is not sent in time is given up", async () => {
    const clock = new FakeClock();
    const { descriptor } = await opened({ clock });
    const socket = connect(descriptor);
    socket.write('{"token":');
    await until("the server waits for it", () => clock.waiting > 0);
    const closed = once(socket, "close");
    await clock.advance(REQUEST_MS);
    await closed;
  });

  it("may come in pieces; only the first line counts", async () => {
    const { descriptor } = await opened();
    const line = request({ token: descriptor.token, action: "peek" });
    const socket = connect(descriptor);
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const closed = once(socket, "close");
    for (const piece of [line.slice(0, 10), line.slice(10, 40), `${line.slice(40)}${line}rest`]) {
      await new Promise((resolve) => void socket.write(piece, resolve));
    }
    await closed;
    expect(text.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(text)).toMatchObject({ ok: true });
  });

  it("by one connection too many is not heard, and again when there is room", async () => {
    const { descriptor } = await opened();
    const waiting = Array.from({ length: MAX_CONNECTIONS }, () => connect(descriptor));
    await Promise.all(waiting.map((socket) => once(socket, "connect")));
    // Each has been seen by the server when it has answered a later one; all of these are silent.
    await until("the server is full", async () => !(await answered(descriptor)));
    for (const socket of waiting) socket.destroy();
    await until("there is room again", () => answered(descriptor));
  });

  it("whose action fails tells the code and nothing else", async () => {
    const actions: Actions = {
      known: defineAction(z.strictObject({}), async () => {
        throw new TunnelError("no-tunnel", { detail: "detail" });
      }),
      unknown: defineAction(z.strictObject({}), async () => {
        throw new Error("wss://secret");
      }),
    };
    const { descriptor } = await opened({ actions });
    const answerOf = async (action: string): Promise<unknown> =>
      JSON.parse(await answerTo(descriptor, request({ token: descriptor.token, action })));
    expect(await answerOf("known")).toEqual({ ok: false, code: "no-tunnel" });
    expect(await answerOf("unknown")).toEqual({ ok: false, code: "internal" });
  });

  it("whose asker goes away is told so, and nothing breaks", async () => {
    let aborted = false;
    const slow = defineAction(
      z.strictObject({}),
      (_, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            aborted = true;
            resolve({});
          });
          started = true;
        }),
    );
    let started = false;
    const { descriptor } = await opened({ actions: { ...ACTIONS, slow } });
    const socket = connect(descriptor);
    socket.write(request({ token: descriptor.token, action: "slow" }));
    await until("it has begun", () => started);
    socket.destroy();
    await until("it was told", () => aborted);
    expect((await peek(descriptor)).tunnels).toHaveLength(1);
  });

  it("that is open when the server ends is cut, and does not hold it up", async () => {
    const { endpoint, descriptor } = await opened();
    const question = { action: "wait", input: { timeoutMs: 60_000 }, result: peekSchema, takesMs: 60_000 };
    const asked = expect(ask(descriptor, question, systemClock)).rejects.toMatchObject({
      code: "control-failed",
    });
    const idle = connect(descriptor);
    await once(idle, "connect");
    await endpoint.close();
    await asked;
  });
});

function request(message: object): string {
  return `${JSON.stringify(message)}\n`;
}

async function answered(descriptor: Descriptor): Promise<boolean> {
  return (
    (await answerTo(descriptor, request({ token: descriptor.token, action: "peek" })).catch(() => "")) !== ""
  );
}
