import type { Clock } from "../../runtime/clock.ts";
import { BridgeRefusal, type Answered, type Backend, type Call } from "../backend.ts";
import { BRIDGE_LIMITS, type BridgeLimits } from "../protocol/limits.ts";
import { BRIDGE_CLIENT, openedLegacy, outcomeFor, paramsFor, progressTokenOf } from "../protocol/adapt.ts";
import {
  encodeNotification,
  encodeRequest,
  parseFrame,
  type Fields,
  type Outcome,
  CODE,
} from "../protocol/frames.ts";
import { LEGACY_VERSIONS, META } from "../protocol/era.ts";
import { isFields } from "../protocol/frames.ts";
import { post, type McpPlace, type Posted } from "./post.ts";

/** A session that a client names, as it may stand in a field. */
const SESSION = /^[\x21-\x7e]{1,256}$/;
/** A server that takes longer for a notification holds up nobody. */
const NOTICE_MS = 10_000;

/**
 * An MCP server that speaks Streamable HTTP itself. Each message is a POST of its own, with the fields of MCP as the client has sent
 * them; eras and sessions are the server's and the client's affair. What the server asks of its client is not passed on.
 */
export class HttpBackend implements Backend {
  readonly #clock: Clock;
  readonly #limits: BridgeLimits;
  readonly #place: () => McpPlace;
  readonly #closing = new AbortController();
  readonly #lendsSession: boolean;
  /** Undefined until a server has refused a call for its sake. */
  #own: Promise<OwnSession | undefined> | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly place: () => McpPlace;
    readonly limits?: BridgeLimits;
    /** Clients that name no session share one of the bridge's, where the server takes nothing without. */
    readonly lendsSession?: boolean;
  }) {
    this.#clock = options.clock;
    this.#place = options.place;
    this.#limits = options.limits ?? BRIDGE_LIMITS;
    this.#lendsSession = options.lendsSession === true;
  }

  async call(call: Call): Promise<Answered> {
    const { method, era } = call;
    const { posted, outcome } = await this.#insisted(call);
    if (outcome === undefined) throw refusalOf(posted);
    const { status = 200, session } = posted.kind === "answered" ? posted : {};
    // The status belongs to the answer: 404 is a session that is over, or a method that is not there.
    if (status >= 400 && status < 500 && "error" in outcome)
      throw new BridgeRefusal(outcome.error.message, { status, error: outcome.error });
    return {
      outcome: outcomeFor(era, method, outcome),
      session: method === "initialize" ? session : undefined,
    };
  }

  /** Some clients never name the session that they were given: they get one of the bridge's, where the server takes nothing without. */
  async #insisted(call: Call): Promise<Asked> {
    const isMeant = this.#lendsSession && call.era === "legacy" && call.method !== "initialize";
    if (!isMeant || call.session !== undefined) return await this.#ask(call);
    const before = this.#own;
    const known = await before;
    const first = await this.#ask(known === undefined ? call : inSession(call, known));
    // Refused calls were not begun: a second attempt does nothing twice.
    if (!isSessionRefused(first.posted, known)) return first;
    if (this.#own === before) this.#own = this.#begin();
    const own = await this.#own;
    return own === undefined ? first : await this.#ask(inSession(call, own));
  }

  async #begin(): Promise<OwnSession | undefined> {
    const [protocolVersion] = LEGACY_VERSIONS;
    const params = { protocolVersion, clientInfo: BRIDGE_CLIENT };
    const about = { era: "legacy", session: undefined, fields: {}, onProgress: undefined } as const;
    const { posted, outcome } = await this.#ask({
      ...about,
      method: "initialize",
      params,
      signal: this.#closing.signal,
    });
    const session = posted.kind === "answered" ? posted.session : undefined;
    const opening = outcome !== undefined && "result" in outcome ? openedLegacy(outcome.result) : undefined;
    if (session === undefined || opening === undefined) return undefined;
    const own = { session, version: opening.version };
    await this.notify("notifications/initialized", {}, inSession({ fields: {} }, own));
    return own;
  }

  async #ask(call: Call): Promise<Asked> {
    const { method, params, onProgress, signal } = call;
    let outcome: Outcome | undefined;
    const told = toldParams(call, onProgress === undefined ? undefined : progressTokenOf(params));
    const posted = await this.#post(encodeRequest({ id: 1, method, params: told }), call, {
      signal,
      onMessage: (text) => {
        const frame = parseFrame(text);
        if (frame.kind === "response" && (frame.id === 1 || frame.id === undefined))
          outcome ??= "result" in frame ? { result: frame.result } : { error: frame.error };
        if (frame.kind === "notification" && frame.method === "notifications/progress")
          onProgress?.(frame.params);
        return outcome !== undefined;
      },
    });
    return { posted, outcome };
  }

  async notify(method: string, params: Fields, about: Pick<Call, "session" | "fields">): Promise<void> {
    const body = encodeNotification({ method, params });
    await this.#post(body, about, { signal: AbortSignal.timeout(NOTICE_MS), onMessage: () => true });
  }

  /** Its sessions end by its own rules. */
  endSession(): boolean {
    return false;
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  #post(
    body: string,
    { session, fields }: Pick<Call, "session" | "fields">,
    about: { readonly signal: AbortSignal; readonly onMessage: (text: string) => boolean },
  ): Promise<Posted> {
    const { resultChars, callIdleMs, callMs } = this.#limits;
    return post({
      place: this.#place(),
      body,
      fields: {
        ...fields,
        ...(session !== undefined && SESSION.test(session) ? { "mcp-session-id": session } : {}),
      },
      clock: this.#clock,
      maxChars: resultChars,
      idleMs: callIdleMs,
      ms: callMs,
      signal: AbortSignal.any([about.signal, this.#closing.signal]),
      onMessage: about.onMessage,
    });
  }
}

/** How a server has answered: what it said, if it was a message at all. */
interface Asked {
  readonly posted: Posted;
  readonly outcome: Outcome | undefined;
}

interface OwnSession {
  readonly session: string;
  readonly version: string;
}

function inSession<About extends Pick<Call, "fields">>(
  about: About,
  { session, version }: OwnSession,
): About & Pick<Call, "session"> {
  return { ...about, session, fields: { ...about.fields, "mcp-protocol-version": version } };
}

/** MCP 2025-06-18, transports: 400 where a session is missing, 404 where it is over. */
function isSessionRefused(posted: Posted, used: OwnSession | undefined): boolean {
  return posted.kind === "answered" && posted.status === (used === undefined ? 400 : 404);
}

/** As the client has sent them, but for what it could be asked: nothing. */
function toldParams({ era, method, params }: Call, progressToken: string | number | undefined): Fields {
  if (era === "modern") {
    const { _meta: meta } = params;
    return { ...params, _meta: { ...(isFields(meta) ? meta : {}), [META.capabilities]: {} } };
  }
  const told = paramsFor("legacy", params, progressToken);
  return method === "initialize" ? { ...told, capabilities: {} } : told;
}

const WHY: Readonly<Record<Exclude<Posted["kind"], "answered">, string>> = {
  unreachable: "the MCP server cannot be reached",
  cut: "the MCP server has cut its answer",
  "too-large": "the answer of the MCP server is too large; ask for less",
  "too-late": "the MCP server has not answered in time",
  aborted: "the call was cancelled",
  "no-mcp": "what answers is no MCP server",
};

function refusalOf(posted: Posted): BridgeRefusal {
  if (posted.kind !== "answered") return new BridgeRefusal(WHY[posted.kind]);
  const { status } = posted;
  if (status === 404)
    return new BridgeRefusal("there is no such session; begin with initialize", {
      status,
      code: CODE.invalidRequest,
    });
  return new BridgeRefusal(`the MCP server has answered with status ${status}`);
}
