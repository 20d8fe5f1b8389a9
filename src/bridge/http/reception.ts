import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../runtime/clock.ts";
import { BridgeRefusal, type Backend } from "../backend.ts";
import type { BridgeLimits } from "../protocol/limits.ts";
import type { CallEnd, CallRecord } from "../log.ts";
import { progressTokenOf, servedOpening } from "../protocol/adapt.ts";
import { eraOf, namedBy, type Era } from "../protocol/era.ts";
import {
  CODE,
  encodeNotification,
  encodeOutcome,
  failed,
  parseFrame,
  type Fields,
  type FrameId,
  type NotificationFrame,
  type Outcome,
  type RequestFrame,
  withId,
} from "../protocol/frames.ts";
import { isServed, knownMethod } from "../protocol/methods.ts";
import type { AllowedTools } from "../protocol/tools.ts";
import { Answer } from "./answer.ts";
import { readBody } from "./body.ts";

/** The word on a text that would leave. `why` is said to the caller, and holds nothing of it. */
export type OutboundWord = { readonly leaves: true } | { readonly leaves: false; readonly why: string };

/** An answer on its way out, as its judge sees it. */
export interface Leaving {
  readonly text: string;
  readonly who: string;
  readonly method: string;
  readonly name: string | undefined;
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

export interface ReceptionOptions {
  readonly clock: Clock;
  readonly limits: BridgeLimits;
  readonly backend: Backend;
  readonly tools: AllowedTools;
  /** Judges all that the server says before it leaves. A rejection counts as no. */
  readonly outbound: (leaving: Leaving) => Promise<OutboundWord>;
  readonly onCall: (record: CallRecord) => void;
  /** Counts calls of all visitors. @returns undefined where there are too many, or what gives the place back */
  readonly place: () => (() => void) | undefined;
  /** Takes room for so many bytes of bodies; a negative number gives it back. @returns whether there is that much */
  readonly hold: (bytes: number) => boolean;
  /** Room for an answer until it is read, with the same result. */
  readonly keep: (chars: number) => (() => void) | undefined;
}

/** Where a visitor sees the server: no other `Host` and no other `Origin` gets in. */
export interface VisitorPlace {
  readonly who: string;
  readonly origin: URL;
  /** Tells clients apart that come as one visitor: one cancels no call of another. Left out: they are one. */
  readonly clientOf?: (request: IncomingMessage) => string;
}

interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const PATH = /^\/mcp\/?(?:\?|$)/;
const MAX_NAME_CHARS = 128;
const OPENINGS: ReadonlySet<string> = new Set(["initialize", "server/discover"]);

/** Takes the messages of one visitor over HTTP, from the first rule to the last word. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #place: VisitorPlace;
  /** Calls under way by client and the id that it has given them: clients that cannot be told apart may give the same. */
  readonly #calls = new Map<string, Set<AbortController>>();
  #open = 0;

  constructor(options: ReceptionOptions, place: VisitorPlace) {
    this.#options = options;
    this.#place = place;
  }

  /** Never rejects. */
  async visit(visit: Visit): Promise<void> {
    const { request } = visit;
    const refused = this.#rules(request);
    if (refused !== undefined) return refuse(visit, refused);
    if (request.method === "DELETE") return this.#delete(visit);
    let held = 0;
    const hold = (bytes: number): boolean => {
      const isHeld = this.#options.hold(bytes);
      if (isHeld) held += bytes;
      return isHeld;
    };
    try {
      await this.#posted(visit, hold);
    } finally {
      this.#options.hold(-held);
    }
  }

  async #posted(visit: Visit, hold: (bytes: number) => boolean): Promise<void> {
    const { request, response } = visit;
    const { clock, limits } = this.#options;
    const about = { clock, maxBytes: limits.requestBytes, ms: limits.bodyMs, hold };
    const body = await readBody(request, about);
    switch (body.kind) {
      case "cut":
        return void response.destroy();
      case "too-long":
        return refuse(visit, { status: 413, message: "the message is too large", closes: true });
      case "crowded":
        return refuse(visit, {
          status: 503,
          message: "too many large messages are under way",
          fields: { "Retry-After": "1" },
          closes: true,
        });
      case "too-late":
        return refuse(visit, { status: 408, message: "the message did not come in time", closes: true });
      case "no-text":
        return refuse(visit, { status: 400, code: CODE.parse, message: "the message is not UTF-8" });
      case "text":
        return await this.#message(visit, body.text);
    }
  }

  #rules({ method, url = "", headers, rawHeaders }: IncomingMessage): Refused | undefined {
    const { origin } = this.#place;
    const hosts = rawHeaders.filter(
      (_name, index) => index % 2 === 0 && /^host$/i.test(rawHeaders[index] ?? ""),
    );
    if (hosts.length !== 1 || headers.host?.toLowerCase() !== origin.host)
      return { status: 421, message: "this is not the host that was asked for" };
    if (headers.origin !== undefined && headers.origin !== origin.origin)
      return { status: 403, message: "pages of other origins are not let in" };
    if (!PATH.test(url)) return { status: 404, message: "there is only /mcp" };
    if (method === "DELETE") return undefined;
    // No stream is kept open for what nobody asked for (MCP allows it in all revisions).
    if (method !== "POST") return { status: 405, message: "only POST is served", fields: { Allow: "POST" } };
    if (!/^application\/json\s*(?:;|$)/i.test(headers["content-type"] ?? ""))
      return { status: 415, message: "the message must be application/json" };
    if (headers["content-encoding"] !== undefined)
      return { status: 415, message: "the message must not be packed" };
    if (!takes(headers.accept, "application/json") && !takes(headers.accept, "text/event-stream"))
      return { status: 406, message: "accept application/json and text/event-stream" };
    return undefined;
  }

  #delete(visit: Visit): void {
    visit.request.resume();
    const session = fieldOf(visit.request, "mcp-session-id");
    if (session !== undefined && this.#options.backend.endSession(session))
      return void visit.response.writeHead(204).end();
    return refuse(visit, { status: 405, message: "only POST is served", fields: { Allow: "POST" } });
  }

  async #message(visit: Visit, text: string): Promise<void> {
    const { response } = visit;
    const frame = parseFrame(text);
    switch (frame.kind) {
      case "bad":
        return refuse(visit, { status: 400, ...frame.error, id: frame.id });
      case "response":
        // Nobody was asked anything.
        return void response.writeHead(202).end();
      case "notification":
        await this.#notification(visit, frame);
        return void response.writeHead(202).end();
      case "request":
        return await this.#request(visit, frame);
    }
  }

  /** Two calls with one id cannot be told apart: then none is cancelled. */
  async #notification({ request }: Visit, { method, params }: NotificationFrame): Promise<void> {
    if (method === "notifications/cancelled") {
      const { requestId } = params;
      const isId = typeof requestId === "string" || typeof requestId === "number";
      const known = isId ? this.#calls.get(this.#keyOf(request, requestId)) : undefined;
      const [only, ...others] = known ?? [];
      if (others.length === 0) only?.abort();
    } else if (method === "notifications/initialized") {
      await this.#options.backend.notify(method, {}, aboutOf(request)).catch(() => undefined);
    }
  }

  /** As JSON, in which no id can be taken for another. */
  #keyOf(request: IncomingMessage, id: FrameId): string {
    return JSON.stringify([this.#place.clientOf?.(request), id]);
  }

  async #request(visit: Visit, frame: RequestFrame): Promise<void> {
    const { clock, limits, place } = this.#options;
    const { request, response } = visit;
    const release = this.#open < limits.callsOfVisitor ? place() : undefined;
    if (release === undefined)
      return refuse(visit, {
        status: 503,
        message: "too many calls wait for their answers",
        id: frame.id,
        fields: { "Retry-After": "1" },
      });
    this.#open += 1;
    const startedAt = clock.now();
    const takesEvents = takes(request.headers.accept, "text/event-stream");
    const answer = new Answer(response, { clock, limits, takesEvents });
    const gone = new AbortController();
    const name = namedBy(frame.method, frame.params)?.slice(0, MAX_NAME_CHARS);
    const call: Running = { frame, name, answer, gone, isAnswered: false };
    // A person is not asked about an answer that nobody waits for.
    const left = new AbortController();
    // Each abort makes an exception with a stack: none for those who have their answer.
    response.once("close", () => {
      if (!call.isAnswered) left.abort();
    });
    gone.signal.addEventListener("abort", () => left.abort());
    const key = this.#keyOf(request, frame.id);
    const ofId = this.#calls.get(key) ?? new Set();
    this.#calls.set(key, ofId.add(gone));
    try {
      const { status, outcome, session, end } = await this.#outcome(visit, call);
      const about = { who: this.#place.who, method: frame.method, name };
      const said = this.#kept(
        await this.#leaving(outcome, { ...about, signal: left.signal }),
        answer,
        response,
      );
      const fields = session === undefined ? {} : { "Mcp-Session-Id": session };
      call.isAnswered = true;
      answer.finish(status, withId(frame.id, said.text), fields);
      this.#options.onCall({
        at: startedAt,
        ...about,
        method: knownMethod(frame.method) ?? "another method",
        end: said.isWithheld ? "withheld" : end,
        ms: clock.now() - startedAt,
        chars: said.text.length,
      });
    } finally {
      ofId.delete(gone);
      if (ofId.size === 0) this.#calls.delete(key);
      this.#open -= 1;
      release();
    }
  }

  async #outcome(visit: Visit, running: Running): Promise<Ended> {
    const { frame, name, answer, gone } = running;
    const { backend, tools } = this.#options;
    const { method, params } = frame;
    const judged = eraOf(frame, {
      version: fieldOf(visit.request, "mcp-protocol-version"),
      method: fieldOf(visit.request, "mcp-method"),
      name: fieldOf(visit.request, "mcp-name"),
    });
    if ("error" in judged) return { status: 400, outcome: judged, session: undefined, end: "refused" };
    const { era } = judged;
    const refused = this.#refused(frame, era, name);
    if (refused !== undefined) return refused;
    const { response } = visit;
    // Closing the stream is the cancel of 2026-07-28, and nothing before it.
    if (era === "modern")
      response.once("close", () => {
        if (!running.isAnswered) gone.abort();
      });
    try {
      const { outcome, session } = await backend.call({
        era,
        method,
        params,
        ...aboutOf(visit.request),
        onProgress: this.#progress(frame, answer, gone.signal),
        signal: gone.signal,
      });
      return {
        status: 200,
        outcome: this.#shown(method, outcome, tools),
        session,
        end: "error" in outcome ? "error" : "answered",
      };
    } catch (thrown) {
      const refusal = thrown instanceof BridgeRefusal ? thrown : new BridgeRefusal("the bridge has failed");
      const { status, error } = refusal;
      return {
        status,
        outcome: { error },
        session: undefined,
        end: gone.signal.aborted ? "cancelled" : "failed",
      };
    }
  }

  #refused({ method, params }: RequestFrame, era: Era, name: string | undefined): Ended | undefined {
    const { tools } = this.#options;
    const refuse = (status: number, code: number, message: string): Ended => ({
      status,
      outcome: failed(code, message),
      session: undefined,
      end: "refused",
    });
    if (!isServed(method, era, tools.isListed))
      return refuse(era === "modern" ? 404 : 200, CODE.methodNotFound, "this method is not served");
    if (method !== "tools/call") return undefined;
    const { name: tool } = params;
    if (typeof tool !== "string" || tool === "" || tool !== name)
      return refuse(200, CODE.invalidParams, "name is that of a tool");
    return tools.has(tool)
      ? undefined
      : refuse(200, CODE.invalidParams, "its owner does not let this tool be called");
  }

  #shown(method: string, outcome: Outcome, tools: AllowedTools): Outcome {
    if ("error" in outcome) return outcome;
    if (method === "tools/list") return { result: tools.listed(outcome.result) };
    return OPENINGS.has(method) ? { result: servedOpening(outcome.result, tools.isListed) } : outcome;
  }

  /** Numbers and a few words, not too often, each judged like all that leaves. */
  #progress(
    { method, params }: RequestFrame,
    answer: Answer,
    signal: AbortSignal,
  ): ((progress: Fields) => void) | undefined {
    const progressToken = progressTokenOf(params);
    if (progressToken === undefined) return undefined;
    const { clock, limits, outbound } = this.#options;
    let toldAt = Number.NEGATIVE_INFINITY;
    let isJudging = false;
    return ({ progress, total, message }) => {
      if (isJudging || clock.now() - toldAt < limits.progressEveryMs || answer.isOver) return;
      toldAt = clock.now();
      const isShort = typeof message === "string" && message.length <= limits.progressChars;
      const text = encodeNotification({
        method: "notifications/progress",
        params: {
          progressToken,
          ...(typeof progress === "number" ? { progress } : {}),
          ...(typeof total === "number" ? { total } : {}),
          ...(isShort ? { message } : {}),
        },
      });
      if (!isShort) return answer.tell(text);
      isJudging = true;
      void outbound({ text, who: this.#place.who, method, name: undefined, signal })
        .then(
          ({ leaves }) => leaves && answer.tell(text),
          () => undefined,
        )
        .finally(() => (isJudging = false));
      return undefined;
    };
  }

  /** An answer waits here until it is read: what many do not read is bounded. */
  #kept(said: Said, answer: Answer, response: ServerResponse): Said {
    const release = this.#options.keep(said.text.length);
    if (release === undefined)
      return { text: JSON.stringify(failed(CODE.bridge, UNREAD)), isWithheld: false };
    if (answer.isOver) release();
    else response.once("close", release);
    return said;
  }

  /** The message that leaves in the end: the answer, or that it is withheld. */
  async #leaving(outcome: Outcome, about: Omit<Leaving, "text">): Promise<Said> {
    const { outbound, limits } = this.#options;
    const text = JSON.stringify(outcome);
    if (text.length > limits.resultChars)
      return { text: JSON.stringify(failed(CODE.bridge, TOO_LARGE)), isWithheld: false };
    const word = await outbound({ ...about, text }).catch((): OutboundWord => UNJUDGED);
    if (word.leaves) return { text, isWithheld: false };
    return { text: JSON.stringify(failed(CODE.bridge, word.why)), isWithheld: true };
  }
}

/** The outcome that is told, as JSON. */
interface Said {
  readonly text: string;
  readonly isWithheld: boolean;
}

const UNREAD = "too many answers wait to be read; read them, then call again";
const TOO_LARGE = "the answer of the MCP server is too large; ask for less";
const UNJUDGED: OutboundWord = {
  leaves: false,
  why: "the answer could not be searched for secrets, and was not sent",
};

interface Running {
  readonly frame: RequestFrame;
  readonly name: string | undefined;
  readonly answer: Answer;
  readonly gone: AbortController;
  isAnswered: boolean;
}

interface Ended {
  readonly status: number;
  readonly outcome: Outcome;
  readonly session: string | undefined;
  readonly end: CallEnd;
}

interface Refused {
  readonly status: number;
  readonly message: string;
  readonly code?: number;
  readonly data?: unknown;
  readonly id?: FrameId | undefined;
  readonly fields?: Readonly<Record<string, string>>;
  /** The rest of the request is not read. */
  readonly closes?: true;
}

function refuse({ request, response }: Visit, refused: Refused): void {
  const { status, message, code = CODE.bridge, id, fields = {}, closes } = refused;
  const text = encodeOutcome(id, failed(code, message));
  if (closes !== true) request.resume();
  response.on("error", () => undefined);
  response
    .writeHead(status, {
      ...fields,
      ...(closes === true ? { Connection: "close" } : {}),
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text),
      "X-Content-Type-Options": "nosniff",
    })
    .end(text);
}

function fieldOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

/** All of MCP's own fields, which a server that speaks HTTP may know more of. */
function aboutOf(request: IncomingMessage): {
  readonly session: string | undefined;
  readonly fields: Readonly<Record<string, string>>;
} {
  const all = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
    name.startsWith("mcp-") && name !== "mcp-session-id" && typeof value === "string" ? [[name, value]] : [],
  );
  return { session: fieldOf(request, "mcp-session-id"), fields: Object.fromEntries(all) };
}

/** A client that says nothing takes anything (RFC 9110 §12.5.1). */
function takes(accept: string | undefined, type: string): boolean {
  if (accept === undefined) return type === "application/json";
  const [kind = ""] = type.split("/");
  const ranges = accept.split(",").map((one) => (one.split(";")[0] ?? "").trim().toLowerCase());
  return ranges.some((range) => range === type || range === "*/*" || range === `${kind}/*`);
}
