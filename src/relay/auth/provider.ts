import { createHash } from "node:crypto";
import { Agent, request as requestPlain, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as SecureAgent, request as requestSecure } from "node:https";
import type { SecureContext } from "node:tls";
import * as z from "zod/mini";
import type { ProxyAgents } from "../../net/proxy.ts";
import type { Trust } from "../../net/trust.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Emitter } from "../../runtime/emitter.ts";
import { MAX_SAID_CHARS } from "../../uplink/close-codes.ts";
import { KINDS } from "../../uplink/messages.ts";
import type { Authority, Verdict } from "./authority.ts";
import { isPattern } from "./patterns.ts";
import { tokenLimits } from "./tokens.ts";

/** From the question to the last byte of the answer, in ms. */
const ANSWER_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;
/** Questions at once; the others wait their turn within the time for an answer. */
const MAX_QUESTIONS = 32;
/** The next question comes within this part of the time that a yes counts, so that a short outage cuts nobody. */
const ASKED_AGAIN_AFTER = 0.8;
/** … and once a day in any case. */
const MAX_UNASKED_MS = 86_400_000;

const granted = z.object({
  subdomains: z.array(z.string()).check(z.maxLength(1_000)),
  /** The yes counts for so many seconds. */
  expiresInSec: z.optional(z.number().check(z.positive())),
  kinds: z.optional(z.array(z.enum(KINDS))),
  limits: z.optional(tokenLimits),
});
const refusal = z.object({ error: z.string() });

export interface ProviderOptions {
  /** The service; `/api/verify` comes after its path. */
  readonly url: URL;
  /** Asked for every question, since the file that holds it may change. */
  readonly secret: () => string | undefined;
  readonly network: { readonly proxies: ProxyAgents; readonly trust: Trust };
  readonly clock: Clock;
}

/** What came: the status, and the body where it is whole and within bounds. */
interface Answer {
  readonly status: number;
  readonly body: Buffer | undefined;
}

/**
 * Asks a service of the operator about every token. Everything that is not plainly yes or no, a redirect included, is "cannot be
 * told", which lets nobody in.
 */
export class ProviderAuthority implements Authority {
  readonly isOpen = false;
  readonly #options: ProviderOptions;
  readonly #url: URL;
  readonly #agent: Agent;
  readonly #changes = new Emitter<void>();

  constructor(options: ProviderOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.#url.pathname = `${this.#url.pathname.replace(/\/+$/, "")}/api/verify`;
    const pool = { keepAlive: true, maxSockets: MAX_QUESTIONS };
    this.#agent = this.#isSecure ? new SecureAgent(pool) : new Agent(pool);
  }

  /** Everybody who is in is asked about again. */
  recheck(): void {
    this.#changes.emit();
  }

  onChange(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  async check(token: string | undefined, { name }: { name: string | undefined }): Promise<Verdict> {
    if (token === undefined) return { kind: "refused", reason: "token-missing" };
    let answer: Answer;
    try {
      answer = await this.#ask(JSON.stringify({ token, subdomain: name ?? "" }));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { kind: "unavailable" };
    }
    if (answer.status === 401 || answer.status === 403) {
      const text = textOf(refusal.safeParse(jsonOf(answer.body)).data?.error, token);
      return { kind: "refused", reason: "token-invalid", ...(text === undefined ? {} : { text }) };
    }
    const told = answer.status === 200 ? granted.safeParse(jsonOf(answer.body)).data : undefined;
    if (told === undefined) return { kind: "unavailable" };
    const { subdomains, expiresInSec, kinds = ["room", "http"], limits = {} } = told;
    const now = this.#options.clock.now();
    const countsMs = expiresInSec === undefined ? undefined : expiresInSec * 1_000;
    return {
      kind: "granted",
      grant: {
        tokenId: createHash("sha256").update(token).digest("hex").slice(0, 8),
        kinds: new Set(kinds),
        // No name can fit what is no pattern.
        names: subdomains.filter(isPattern),
        limits,
        recheckAt:
          countsMs === undefined ? undefined : now + Math.min(MAX_UNASKED_MS, countsMs * ASKED_AGAIN_AFTER),
        ...(countsMs === undefined ? {} : { lapsesAt: now + countsMs }),
      },
    };
  }

  get #isSecure(): boolean {
    return this.#url.protocol === "https:";
  }

  /** One question. Rejects when no whole answer comes in time. */
  #ask(body: string): Promise<Answer> {
    const { network, secret, clock } = this.#options;
    const word = secret();
    if (word === undefined) return Promise.reject(new Error("no secret"));
    return new Promise((resolve, reject) => {
      const options: RequestOptions & { secureContext?: SecureContext } = {
        method: "POST",
        agent: network.proxies(this.#url) ?? this.#agent,
        headers: {
          "Content-Type": "application/json",
          "Content-Length": Buffer.byteLength(body),
          Accept: "application/json",
          "User-Agent": "tunnel-mcp",
          "X-Relay-Secret": word,
        },
        ...(this.#isSecure ? { secureContext: network.trust() } : {}),
      };
      const asked = (this.#isSecure ? requestSecure : requestPlain)(this.#url, options);
      const cancel = clock.after(ANSWER_MS, () => asked.destroy(new Error("no answer in time")));
      asked.once("error", reject);
      asked.once("close", () => {
        cancel();
        reject(new Error("no whole answer"));
      });
      asked.once("response", (response) => take(response, resolve));
      asked.end(body);
    });
  }
}

/** Reads the answer up to its bound. A longer one is cut off, and its body counts as none. */
function take(response: IncomingMessage, then: (answer: Answer) => void): void {
  const status = response.statusCode ?? 0;
  const chunks: Buffer[] = [];
  let size = 0;
  response.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_ANSWER_BYTES) return void chunks.push(chunk);
    then({ status, body: undefined });
    response.destroy();
  });
  response.on("error", () => response.destroy());
  response.once("end", () => then({ status, body: Buffer.concat(chunks) }));
}

function jsonOf(body: Buffer | undefined): unknown {
  try {
    return body === undefined
      ? undefined
      : JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** One line of plain characters without the token, which a careless service may quote. */
function textOf(text: string | undefined, token: string): string | undefined {
  const line = text
    ?.replaceAll(token, "")
    .replace(/[^\x21-\x7e]+/g, " ")
    .trim()
    .slice(0, MAX_SAID_CHARS);
  return line === "" ? undefined : line;
}
