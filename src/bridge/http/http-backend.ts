import type { Clock } from "../../runtime/clock.ts";
import { BridgeRefusal, type Answered, type Backend, type Call } from "../backend.ts";
import { BRIDGE_LIMITS, type BridgeLimits } from "../protocol/limits.ts";
import { outcomeFor, paramsFor, progressTokenOf } from "../protocol/adapt.ts";
import {
  encodeNotification,
  encodeRequest,
  parseFrame,
  type Fields,
  type Outcome,
  CODE,
} from "../protocol/frames.ts";
import { META } from "../protocol/era.ts";
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

  constructor(options: {
    readonly clock: Clock;
    readonly place: () => McpPlace;
    readonly limits?: BridgeLimits;
  }) {
    this.#clock = options.clock;
    this.#place = options.place;
    this.#limits = options.limits ?? BRIDGE_LIMITS;
  }

  async call(call: Call): Promise<Answered> {
    const { method, params, era, onProgress, signal } = call;
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
