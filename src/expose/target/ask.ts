import { request as requestPlain, type IncomingMessage } from "node:http";
import { request as requestSecure } from "node:https";
import { connect as connectSecure } from "node:tls";
import { deadline, type Deadline } from "../../net/deadline.ts";
import { serverName, serviceTls } from "../../net/service-tls.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Upstream } from "../upstream.ts";
import type { Page } from "./looks.ts";

/** What came of one question to one address. */
export type Heard =
  | { readonly kind: "http"; readonly page: Page; readonly ms: number }
  /** Nobody listens there; `code` is the system's. */
  | { readonly kind: "refused"; readonly code: string }
  /** It takes the connection, and ends it without a word. */
  | { readonly kind: "closed" }
  /** It takes the connection, and says nothing in time. */
  | { readonly kind: "silent" }
  /** Bytes that are no HTTP; each character is one byte. */
  | { readonly kind: "noise"; readonly first: string }
  /** HTTPS was asked for: `plain` where there is no TLS, `untrusted` where nobody vouches for the certificate. */
  | { readonly kind: "no-tls"; readonly why: "plain" | "untrusted" };

export interface Question {
  readonly upstream: Upstream;
  /** A GET changes nothing, and `OPTIONS *` is a question to the server itself (RFC 9110 §9.3.7). */
  readonly ask: { readonly method: "GET" | "OPTIONS"; readonly path: string };
  /** From dialling to the head of the answer. */
  readonly limitMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** As the gateway takes them. */
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_BODY_BYTES = 16 * 1024;
const BODY_LIMIT_MS = 1_000;

/** Sends one request over a connection of its own. Never rejects: an abort counts as silence. */
export async function askService(question: Question): Promise<Heard> {
  const { clock, limitMs, signal } = question;
  const begun = clock.now();
  const limit = deadline(clock, limitMs, signal);
  try {
    const answer = await answerOf(question, limit);
    if (!("response" in answer)) return answer;
    const { response } = answer;
    const ms = clock.now() - begun;
    const page = { status: response.statusCode ?? 0, fields: response.rawHeaders };
    return { kind: "http", ms, page: { ...page, body: await beginningOf(response, clock) } };
  } finally {
    limit.clear();
  }
}

/** One GET. */
export function get(
  upstream: Upstream,
  path: string,
  limitMs: number,
  means: Pick<Question, "clock" | "signal">,
): Promise<Heard> {
  const { clock, signal } = means;
  return askService({ upstream, ask: { method: "GET", path }, limitMs, clock, signal });
}

type Answer = { readonly response: IncomingMessage } | Exclude<Heard, { readonly kind: "http" }>;

function answerOf({ upstream, ask }: Question, { signal }: Deadline): Promise<Answer> {
  const { scheme, address, port, host } = upstream;
  return new Promise((resolve) => {
    let isConnected = false;
    const options = {
      host: address,
      port,
      method: ask.method,
      path: ask.path,
      agent: false,
      maxHeaderSize: MAX_HEAD_BYTES,
      setHost: false,
      headers: { host, "user-agent": "tunnel-mcp", accept: "text/html,*/*;q=0.8", connection: "close" },
      signal,
    };
    const outgoing =
      scheme === "http" ? requestPlain(options) : requestSecure({ ...options, ...serviceTls(upstream) });
    outgoing.once("socket", (socket) => socket.once("connect", () => (isConnected = true)));
    outgoing.once("response", (response) => resolve({ response }));
    outgoing.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ response });
    });
    outgoing.once("error", (error) => resolve(failureOf(error, { isConnected, isLate: signal.aborted })));
    outgoing.end();
  });
}

const NOT_TLS = /^(?:EPROTO|ERR_SSL_)/;
const UNTRUSTED = /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/;

function failureOf(
  error: Error & { code?: string; rawPacket?: unknown },
  about: { readonly isConnected: boolean; readonly isLate: boolean },
): Answer {
  const code = error.code ?? "";
  if (code.startsWith("HPE_")) {
    const { rawPacket } = error;
    return { kind: "noise", first: Buffer.isBuffer(rawPacket) ? rawPacket.toString("latin1", 0, 64) : "" };
  }
  if (UNTRUSTED.test(code)) return { kind: "no-tls", why: "untrusted" };
  if (NOT_TLS.test(code)) return { kind: "no-tls", why: "plain" };
  if (about.isLate) return { kind: "silent" };
  return about.isConnected ? { kind: "closed" } : { kind: "refused", code };
}

/** As much of the body as there is in a moment: a stream may never end. */
async function beginningOf(response: IncomingMessage, clock: Clock): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const cancel = clock.after(BODY_LIMIT_MS, () => response.destroy());
  try {
    for await (const chunk of response) {
      if (!Buffer.isBuffer(chunk)) continue;
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MAX_BODY_BYTES) break;
    }
  } catch (error) {
    // A body that breaks off is the service's own affair: its head has been heard.
    if (!(error instanceof Error)) throw error;
  } finally {
    cancel();
    response.destroy();
  }
  return Buffer.concat(chunks).toString("latin1", 0, MAX_BODY_BYTES);
}

/** Whether a TLS handshake succeeds there, whoever the certificate names. Never rejects. */
export function speaksTls(
  { address, port, host }: Upstream,
  { clock, signal, limitMs }: Pick<Question, "clock" | "signal" | "limitMs">,
): Promise<boolean> {
  const limit = deadline(clock, limitMs, signal);
  return new Promise<boolean>((resolve) => {
    const socket = connectSecure({
      host: address,
      port,
      servername: serverName(host),
      rejectUnauthorized: false,
    });
    const end = (does: boolean): void => {
      limit.clear();
      socket.destroy();
      resolve(does);
    };
    limit.signal.addEventListener("abort", () => end(false), { once: true });
    socket.once("secureConnect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    if (limit.signal.aborted) end(false);
  });
}
