import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { Endpoint } from "../../src/control/endpoint.ts";
import { noExposures } from "../../src/expose/exposures/lazy-exposures.ts";
import type { NumberedLine, PageAnswer, PageLine } from "../../src/page/lines.ts";
import type { Assets } from "../../src/page/server/assets.ts";
import { PageServer, type PageOptions } from "../../src/page/server/server.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { noServices } from "../../src/services/tunnels/lazy-services.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { WatchClient } from "../../src/watch/client.ts";
import { Faces } from "../../src/watch/faces.ts";
import { readDescriptors } from "../../src/control/descriptor.ts";
import type { WatchEvent } from "../../src/watch/protocol.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";

export const ASSETS: Assets = new Map([
  ["/", { type: "text/html; charset=utf-8", text: "<!doctype html><title>shell</title>" }],
  ["/page.js", { type: "text/javascript; charset=utf-8", text: "1" }],
  ["/page.css", { type: "text/css; charset=utf-8", text: "a{}" }],
  ["/icon.svg", { type: "image/svg+xml", text: "<svg/>" }],
  ["/icon-waiting.svg", { type: "image/svg+xml", text: "<svg/>" }],
]);

/** A person's program whose faces are found as those of a real server are. */
export interface Room {
  readonly folder: string;
  readonly ana: Sessions;
  readonly ben: Sessions;
  readonly host: HostSession;
  readonly guest: GuestSession;
  readonly close: () => Promise<void>;
  /** Opens the endpoint again, as a server that comes back. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
}

export async function openRoom(goal = "Agree on the API"): Promise<Room> {
  const folder = path.join(mkdtempSync(path.join(tmpdir(), "page-")), "control");
  const [ana, ben] = [sessionsOn(systemClock), sessionsOn(systemClock)];
  const opened = await ana.host(hostRequest(goal));
  const guest = await ben.join(joinRequest(opened.invites[0]?.joinLink));
  let endpoint = await openEndpoint(ana, folder);
  return {
    folder,
    ana,
    ben,
    host: opened.hosting,
    guest,
    stop: () => endpoint.close(),
    start: async () => void (endpoint = await openEndpoint(ana, folder)),
    async close() {
      await endpoint.close();
      await Promise.all([ana.shutDown(), ben.shutDown()]);
      rmSync(path.dirname(folder), { recursive: true, force: true });
    },
  };
}

export async function openEndpoint(sessions: Sessions, folder: string): Promise<Endpoint> {
  const faces = new Faces({
    sessions,
    exposures: noExposures(),
    services: noServices(),
    clock: systemClock,
    server: { pid: process.pid, version: "0", folder: "/w" },
  });
  const endpoint = new Endpoint({
    begins: (wake) => {
      const soon = setImmediate(wake);
      return () => clearImmediate(soon);
    },
    clock: systemClock,
    accept: (socket, isToken) => faces.accept(socket, isToken),
    kind: "watch",
    identity: { session: undefined, folder: "/w" },
    folders: [folder],
    platform: process.platform,
    pid: process.pid,
  });
  while (endpoint.state === "unopened") await new Promise((resolve) => setTimeout(resolve, 5));
  return endpoint;
}

/** A terminal's face of the same person. */
export async function terminal({ folder }: Room) {
  const [found] = await readDescriptors([folder], process.platform, undefined, "watch");
  if (found === undefined) throw new Error("the server is not found");
  const events: WatchEvent[] = [];
  const client = new WatchClient(found, "0", {
    event: (event) => void events.push(event),
    closed: () => undefined,
  });
  return { client, events };
}

export async function openPage(folder: string, over: Partial<PageOptions> = {}) {
  const news: string[] = [];
  const page = await PageServer.open({
    folders: [folder],
    platform: process.platform,
    clock: systemClock,
    version: "0",
    primitives: nodePrimitives,
    assets: ASSETS,
    isBrowserHere: true,
    onNews: (one) => void news.push(one),
    ...over,
  });
  return { page, news };
}

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request with exactly these fields. */
export function ask(
  { page }: { page: PageServer },
  { method = "GET", path = "/", headers = {}, body }: Asked,
): Promise<Answered> {
  const { address, port } = page.place;
  return new Promise((resolve, reject) => {
    const asked = httpRequest(
      {
        host: address,
        port,
        method,
        path,
        headers: { host: `${address}:${port}`, ...headers },
        // The field is sent as it is given here, also where it is empty.
        setHost: false,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

export const codeIn = (url: string): string => new URL(url).hash.slice(1);
const JSON_TYPE = { "content-type": "application/json" };

export function post(at: { page: PageServer }, to: string, body: unknown, token?: string): Promise<Answered> {
  const headers = { ...JSON_TYPE, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  return ask(at, { method: "POST", path: to, headers, body: JSON.stringify(body) });
}

export async function enter(at: { page: PageServer }, url = at.page.newUrl()): Promise<string> {
  const { status, body } = await post(at, "/enter", { code: codeIn(url) });
  if (status !== 200) throw new Error(`not let in: ${body}`);
  return (JSON.parse(body) as { token: string }).token;
}

/** A tab's stream. */
export function streamOf({ page }: { page: PageServer }, token: string, after?: number) {
  const { address, port } = page.place;
  const lines: PageLine[] = [];
  let status = 0;
  let isOver = false;
  let rest = "";
  const asked = httpRequest(
    {
      host: address,
      port,
      method: "POST",
      path: "/stream",
      headers: { host: `${address}:${port}`, ...JSON_TYPE, authorization: `Bearer ${token}` },
      agent: false,
    },
    (response) => {
      status = response.statusCode ?? 0;
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        const texts = (rest + chunk).split("\n");
        rest = texts.pop() ?? "";
        lines.push(...texts.map((text) => JSON.parse(text) as PageLine));
      });
      response.on("close", () => (isOver = true));
      response.on("error", () => undefined);
    },
  );
  asked.on("error", () => (isOver = true));
  asked.end(JSON.stringify(after === undefined ? {} : { after }));
  const told = (): NumberedLine[] =>
    lines.filter((line): line is NumberedLine => "n" in line && line.t !== "begin");
  const events = () => told().flatMap((line) => (line.t === "told" ? [line.event] : []));
  return {
    lines,
    told,
    events,
    close: () => void asked.destroy(),
    status: () => status,
    isOver: () => isOver,
  };
}

export async function act(at: { page: PageServer }, token: string, command: object): Promise<PageAnswer> {
  const { body } = await post(at, "/do", { server: String(process.pid), command }, token);
  return JSON.parse(body) as PageAnswer;
}
