import { noServices } from "../../../src/services/tunnels/lazy-services.ts";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openEndpoints } from "../../../src/app/sessions.ts";
import { exposeList } from "../../../src/cli/expose/list.ts";
import { exposeStop, type StopOptions } from "../../../src/cli/expose/stop.ts";
import { table } from "../../../src/cli/expose/table.ts";
import { writeDescriptor } from "../../../src/control/descriptor.ts";
import type { Exposure } from "../../../src/expose/exposures/exposure.ts";
import { machineFacts, privateFolders } from "../../../src/runtime/private-folders.ts";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { Faces } from "../../../src/watch/faces.ts";
import { until } from "../../support/processes.ts";
import { rejection } from "../../support/rejection.ts";
import { recorder } from "../support.ts";
import { Here } from "./here.ts";

const { platform } = process;
let stops: (() => unknown)[];
let here: Here;
let port: number;
beforeEach(async () => {
  stops = [];
  here = new Here();
  port = await here.service((_, response) => response.end("hello"));
});
afterEach(async () => {
  for (const stop of stops.toReversed()) await stop();
  await here.close();
});

async function open(place: Here, name: string, target = port): Promise<Exposure> {
  const exposures = await place.exposures.get();
  const { exposure } = exposures.start({ target: String(target), name }, { isConsented: true });
  await exposure.settled;
  expect(exposure.state.name).toBe("running");
  return exposure;
}

function folders(): readonly string[] {
  // The first alone, since the others belong to whoever runs these tests.
  return privateFolders(here.env, machineFacts()).slice(0, 1);
}

/** The endpoints as a server opens them. */
async function serve(): Promise<void> {
  const { sessions, exposures, env, root: cwd } = here;
  const identity = { session: undefined, folder: cwd };
  const services = noServices();
  const endpoints = openEndpoints({ sessions, exposures, services, clock, env, identity, version: "0", cwd });
  stops.push(() => Promise.all([endpoints.questions.close(), endpoints.faces.close()]));
}

/** A server of another process, as its faces find it. */
async function serveFaces(place: Here, pid: number, version = "0"): Promise<void> {
  const token = randomBytes(32).toString("base64url");
  const endpoint =
    platform === "win32"
      ? `\\\\.\\pipe\\tunnel-test-${pid}-${randomBytes(4).toString("hex")}`
      : path.join(here.root, `${pid}.sock`);
  const { sessions, exposures, root: folder } = place;
  const faces = new Faces({
    sessions,
    exposures,
    services: noServices(),
    clock,
    server: { pid, version, folder },
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    faces.accept(socket, (one) => one === token);
  });
  await new Promise<void>((resolve) => server.listen(endpoint, resolve));
  const [private_ = ""] = folders();
  mkdirSync(private_, { recursive: true, mode: 0o700 });
  const file = await writeDescriptor(private_, { pid, endpoint, token, folder }, { platform, kind: "watch" });
  stops.push(() => {
    rmSync(file, { force: true });
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

async function list(over: { history?: boolean; json?: boolean; columns?: number } = {}): Promise<string> {
  const output = recorder();
  const command = { kind: "expose-list", history: over.history === true, json: over.json === true } as const;
  const columns = over.columns;
  expect(
    await exposeList({ command, folders: folders(), platform, pid: process.pid, clock, output, columns }),
  ).toBe(0);
  return output.stdout();
}

async function stop(which: string | undefined, over: Partial<StopOptions> & { json?: boolean } = {}) {
  const output = recorder();
  const command = { kind: "expose-stop", which, json: over.json === true } as const;
  const code = await exposeStop({
    command,
    folders: folders(),
    platform,
    clock,
    env: {},
    version: "0",
    output,
    ...over,
  });
  return { code, out: output.stdout(), err: output.stderr() };
}

describe("expose list", () => {
  it("says how to begin where there is nothing", async () => {
    expect(await list()).toContain("Nothing of yours is exposed now. To begin: tunnel-mcp expose 3000");
    expect(await list({ history: true })).toContain("None has ended yet.");
    expect(await list({ json: true, history: true })).toBe("");
  });

  it("shows each with its address, where it leads, and the folder of its server; then those that are over", async () => {
    await serve();
    const web = await open(here, "web");
    await until("the endpoint is there", async () => (await list()).includes("web"));
    const [titles = "", row = ""] = (await list()).split("\n");
    expect(titles).toMatch(/^NAME +ID +STATE +REQUESTS +LEFT +ADDRESS +LEADS TO +STARTED IN$/);
    for (const part of [
      "web",
      web.id,
      "running",
      "1 h",
      web.publicUrl?.origin ?? "",
      `http://localhost:${port}`,
      here.root,
    ])
      expect(row).toContain(part);
    // Where it is too narrow for a table, a block for each.
    expect(await list({ columns: 60 })).toMatch(/^web\n {2}ID {10}[\da-f]{8}\n {2}STATE {7}running\n/);
    const [line = ""] = (await list({ json: true })).split("\n");
    expect(JSON.parse(line)).toMatchObject({
      exposureId: web.id,
      name: "web",
      status: "running",
      folder: here.root,
      ended: false,
    });
    await web.stop("stopped");
    await (await here.exposures.get()).history.settled();
    expect(await list({ history: true })).toMatch(
      /Nothing of yours[^\n]*\n\nEnded, the last one first:\n\nNAME +ENDED[^\n]*\nweb +20\d\d-\d\d-\d\d \d\d:\d\d .* stopped /,
    );
    expect(JSON.parse(await list({ json: true, history: true }))).toMatchObject({
      name: "web",
      why: "stopped",
      ended: true,
    });
    const secrets = [
      ...(web.access.waysIn().claim?.links.map(({ url }) => url) ?? []),
      web.access.waysIn().token?.value ?? "",
    ];
    for (const secret of secrets) expect(await list({ json: true, history: true })).not.toContain(secret);
  });
});

describe("expose stop", () => {
  it("ends one by its name in whatever server has it, and says which", async () => {
    const [web, api] = [
      await open(here, "web"),
      await open(here, "api", await here.service((_, response) => response.end())),
    ];
    await serveFaces(here, process.pid);
    const { code, out } = await stop("WEB");
    expect(code).toBe(0);
    expect(out).toBe(
      `web (http://localhost:${port}) has ended, after 0 requests. Nobody reaches ${web.publicUrl?.origin} any more.\n`,
    );
    expect([web.isOver, api.isOver]).toEqual([true, false]);
    const json = await stop(api.id, { json: true });
    expect(JSON.parse(json.out)).toMatchObject({
      event: "stopped",
      exposureId: api.id,
      name: "api",
      pid: process.pid,
    });
    expect(api.isOver).toBe(true);
  });

  it("where two servers have the name it ends none, and lists both with their ids", async () => {
    const there = new Here();
    stops.push(() => there.close());
    const [one, two] = [await open(here, "web"), await open(there, "web")];
    await serveFaces(here, process.pid);
    await serveFaces(there, process.ppid);
    const error = await rejection(stop("web"));
    expect(error).toMatchObject({ code: "expose-ambiguous" });
    const { message } = error === "nothing" ? { message: error } : error;
    expect(message).toContain(`${one.id} is web in ${here.root}`);
    expect(message).toContain(`${two.id} is web in ${there.root}`);
    expect([one.isOver, two.isOver]).toEqual([false, false]);
    expect(await stop(two.id)).toMatchObject({ code: 0 });
    expect([one.isOver, two.isOver]).toEqual([false, true]);
    expect((await stop(undefined)).out).toContain("web (");
    expect(one.isOver).toBe(true);
    expect(await stop(undefined)).toMatchObject({ code: 0, out: "Nothing of yours is exposed now.\n" });
  });

  it("names those that run where there is none of that name", async () => {
    await open(here, "web");
    await serveFaces(here, process.pid);
    expect(await rejection(stop("wbe"))).toMatchObject({
      code: "expose-unknown",
      detail: "those that run are web",
    });
  });

  it("ends nothing of a server of another version, and says so", async () => {
    const web = await open(here, "web");
    await serveFaces(here, process.pid, "0.0.9");
    const { err, out } = await stop(undefined);
    expect(err).toContain(`server ${process.pid} runs version 0.0.9, and this is 0`);
    expect([web.isOver, out]).toEqual([false, "Nothing of yours is exposed now.\n"]);
  });

  it("refuses in the shell of an agent, which ends its own by its tool", async () => {
    const web = await open(here, "web");
    await serveFaces(here, process.pid);
    const error = await rejection(stop("web", { env: { CLAUDECODE: "1" } }));
    expect(error).toMatchObject({ code: "stop-in-agent" });
    expect(web.isOver).toBe(false);
  });
});

it("a table becomes blocks where its rows would not fit", () => {
  const [titles, rows] = [
    ["NAME", "WHY", "WHERE"],
    [
      ["a", "", "here"],
      ["bb", "x", "there"],
    ],
  ];
  expect(table(titles, rows, undefined)).toBe("NAME  WHY  WHERE\na          here\nbb    x    there");
  expect(table(titles, [["a", "", "x".repeat(40)]], 30)).toBe(`a\n  WHERE  ${"x".repeat(40)}`);
});
