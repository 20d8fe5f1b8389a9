import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import * as z from "zod/mini";
import { parseJson } from "../../control/messages.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { commandSchema, type Command } from "../../watch/protocol.ts";
import type { PageAnswer } from "../lines.ts";
import { USED_TWICE } from "../shown/alarms.ts";
import type { Assets } from "./assets.ts";
import { Door } from "./door.ts";
import { PAGE_HEADERS } from "./headers.ts";
import { bearerOf, isForWorker, isFromHere, isJson } from "./origin.ts";
import { listenAt, type Place } from "./place.ts";
import { Tab, type TabOptions } from "./tab.ts";

export interface PageOptions extends TabOptions {
  readonly primitives: Primitives;
  readonly assets: Assets;
  /** A browser of this very system will be used, and not one behind a forwarded port. */
  readonly isBrowserHere: boolean;
  /** `opened`: somebody has come by an address. `used-twice`: by one that was used before, and all of it is shut. */
  readonly onNews: (news: "opened" | "left" | "used-twice") => void;
}

/** A command with the longest text, in escapes of JSON. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;
/** A person has a few tabs, and each has a stream and a question or two. */
const MAX_CONNECTIONS = 64;
/** Tabs at one time; servers take no more faces. */
const MAX_TABS = 8;
const HEAD_MS = 10_000;

const enterSchema = z.strictObject({ code: z.string().check(z.maxLength(128)) });
const streamSchema = z.strictObject({ after: z.optional(z.int().check(z.minimum(0))) });
const doSchema = z.strictObject({
  server: z.string().check(z.maxLength(32)),
  command: z.looseObject({ do: z.string() }),
});

interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 429;
  readonly code: string;
}

/** The page of a person on this machine's loopback: the third face beside `watch` and a chat. It decides nothing by itself. */
export class PageServer {
  readonly #options: PageOptions;
  readonly #door: Door;
  readonly #server: Server;
  readonly #tabs = new Map<string, Tab>();
  #place: Place | undefined;

  private constructor(options: PageOptions) {
    this.#options = options;
    this.#door = new Door(options.primitives, options.clock);
    this.#server = createServer(
      // A request without a host gets our answer, with the fields of every answer.
      { headersTimeout: HEAD_MS, requestTimeout: HEAD_MS * 6, requireHostHeader: false },
      (request, response) => {
        void this.#answer(request, response);
      },
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on("upgrade", (_request, socket) => socket.destroy());
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  /** @throws {TunnelError} page-no-port */
  static async open(options: PageOptions): Promise<PageServer> {
    const page = new PageServer(options);
    page.#place = await listenAt(page.#server, options.primitives, options.isBrowserHere);
    page.#server.on("error", () => undefined);
    return page;
  }

  get place(): Place {
    return this.#place ?? { address: "127.0.0.1", port: 0 };
  }

  /** An address that works once and for a minute. It is a secret: for this person's eyes and browser alone. */
  newUrl(): string {
    const { address, port } = this.place;
    return `http://${address}:${port}/#${this.#door.newCode()}`;
  }

  /** Tabs that somebody has come in by and not left. */
  get tabs(): number {
    return this.#tabs.size;
  }

  async close(): Promise<void> {
    for (const tab of this.#tabs.values()) tab.close();
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Never rejects. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(PAGE_HEADERS)) response.setHeader(name, value);
    response.on("error", () => undefined);
    try {
      const refused = await this.#route(request, response);
      if (refused !== undefined) refuse(request, response, refused);
    } catch {
      response.destroy();
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<Refusal | undefined> {
    const [path = ""] = (request.url ?? "").split("?", 1);
    const asset = this.#options.assets.get(path);
    const isShell = path === "/" && request.method === "GET";
    const from = { own: this.place.address, isShell };
    if (!isFromHere(request, from) || isForWorker(request)) return { status: 403, code: "elsewhere" };
    if (request.method === "GET" && asset !== undefined) {
      response.setHeader("Content-Type", asset.type);
      response.end(asset.text);
      return undefined;
    }
    if (path === "/enter") return this.#enter(request, response);
    const token = bearerOf(request);
    const admitted = token === undefined ? undefined : this.#door.admit(token);
    if (admitted === undefined) return { status: 401, code: "page-locked" };
    const tab = this.#tabs.get(admitted);
    if (tab === undefined) return { status: 401, code: "page-locked" };
    return this.#inside(path, { request, response, tab, token: admitted });
  }

  async #inside(
    path: string,
    {
      request,
      response,
      tab,
      token,
    }: {
      readonly request: IncomingMessage;
      readonly response: ServerResponse;
      readonly tab: Tab;
      readonly token: string;
    },
  ): Promise<Refusal | undefined> {
    if (path !== "/stream" && path !== "/do" && path !== "/earlier" && path !== "/leave")
      return { status: 404, code: "no-such-page" };
    // Somebody who only reads along has no verb, whatever a tab sends.
    if (path === "/do" && this.#options.observed !== undefined)
      return { status: 403, code: "observer-spoke" };
    const body = await bodyOf(request);
    if ("status" in body) return body;
    switch (path) {
      case "/stream": {
        const asked = streamSchema.safeParse(body.value);
        if (!asked.success) return { status: 400, code: "input-invalid" };
        response.setHeader("Content-Type", "application/jsonl; charset=utf-8");
        response.setHeader("X-Accel-Buffering", "no");
        response.flushHeaders();
        tab.attach(response, asked.data.after);
        return undefined;
      }
      case "/do":
        answer(response, await obeyed(tab, body.value));
        return undefined;
      case "/earlier":
        answer(response, await obeyed(tab, body.value, "earlier"));
        return undefined;
      case "/leave":
        this.#leave(token);
        answer(response, { ok: true });
        return undefined;
    }
  }

  async #enter(request: IncomingMessage, response: ServerResponse): Promise<Refusal | undefined> {
    const body = await bodyOf(request);
    if ("status" in body) return body;
    const given = enterSchema.safeParse(body.value);
    if (!given.success) return { status: 400, code: "input-invalid" };
    if (this.#tabs.size >= MAX_TABS) this.#leaveAsleep();
    if (this.#tabs.size >= MAX_TABS) return { status: 429, code: "too-many-pages" };
    const entered = this.#door.enter(given.data.code);
    if (entered.kind === "refused") return { status: 401, code: `address-${entered.why}` };
    if (entered.kind === "used-twice") {
      this.#usedTwice(entered.shutOut);
      return { status: 401, code: "address-used-twice" };
    }
    this.#tabs.set(entered.token, new Tab(this.#options));
    this.#options.onNews("opened");
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ token: entered.token }));
    return undefined;
  }

  #usedTwice(tokens: readonly string[]): void {
    for (const token of tokens) {
      // The one that is shut out learns why, and so does every other.
      this.#tabs.get(token)?.tell({ t: "alarm", ...USED_TWICE });
      this.#leave(token);
    }
    for (const tab of this.#tabs.values()) tab.tell({ t: "alarm", ...USED_TWICE });
    this.#options.onNews("used-twice");
  }

  /** Tabs that were closed without a word. */
  #leaveAsleep(): void {
    for (const [token, tab] of this.#tabs) if (tab.isAsleep) this.#leave(token);
  }

  #leave(token: string): void {
    this.#door.leave(token);
    this.#tabs.get(token)?.close();
    this.#tabs.delete(token);
    this.#options.onNews("left");
  }
}

/** @param only the one command that is taken; every one where left out */
async function obeyed(tab: Tab, value: unknown, only?: Command["do"]): Promise<PageAnswer> {
  const asked = doSchema.safeParse(value);
  // The number of a command belongs to the line to the server, which this program has.
  const command = asked.success ? commandSchema.safeParse({ ...asked.data.command, id: 1 }) : undefined;
  const isTaken = command?.success === true && (only ?? command.data.do) === command.data.do;
  if (!asked.success || command?.success !== true || !isTaken) {
    return {
      ok: false,
      code: "input-invalid",
      message: "this is not understood",
      next: "Load the page anew.",
    };
  }
  return tab.obey(asked.data.server, command.data);
}

function answer(response: ServerResponse, given: PageAnswer): void {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(given));
}

function refuse(request: IncomingMessage, response: ServerResponse, { status, code }: Refusal): void {
  if (response.headersSent) return void response.destroy();
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json");
  if (!request.complete) response.setHeader("Connection", "close");
  response.end(JSON.stringify({ ok: false, code }));
}

/** The JSON of a POST; nothing else changes anything. */
async function bodyOf(request: IncomingMessage): Promise<{ readonly value: unknown } | Refusal> {
  if (request.method !== "POST") return { status: 405, code: "post-only" };
  if (!isJson(request)) return { status: 400, code: "json-only" };
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) return { status: 400, code: "json-only" };
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return { status: 413, code: "too-long" };
    chunks.push(chunk);
  }
  return { value: parseJson(Buffer.concat(chunks).toString("utf8")) };
}
