import { STATUS_CODES, type ServerResponse } from "node:http";
import type { OwnAnswer, RawFields } from "../../message.ts";
import { fieldLines } from "../outgoing/field-lines.ts";

/** Names the answers that are ours. The service's own field of this name is dropped, so that it cannot pass for us. */
export const OWN_ANSWER_FIELD = "X-Tunnel-Answer";
/** Our name in `Proxy-Status`. */
const PROXY_NAME = "tunnel-mcp";

/** Words that are error types of RFC 9209 §2.3; others are told as `details`. */
const PROXY_ERRORS: ReadonlySet<string> = new Set([
  "connection_limit_reached",
  "connection_refused",
  "connection_terminated",
  "connection_timeout",
  "destination_ip_unroutable",
  "destination_unavailable",
  "http_protocol_error",
  "http_request_denied",
  "http_request_error",
  "http_response_header_section_size",
  "http_response_incomplete",
  "http_response_timeout",
  "http_response_transfer_coding",
  "proxy_loop_detected",
  "tls_protocol_error",
]);

/** The field lines of an answer of ours, marked as such (RFC 9209). */
export function ownFields({ status, why, fields = [], body }: OwnAnswer): RawFields {
  const has = (name: string): boolean => fields.some((one, at) => at % 2 === 0 && one.toLowerCase() === name);
  return [
    ...fields,
    ...(has("content-type") ? [] : ["Content-Type", "text/plain; charset=utf-8"]),
    ...(has("cache-control") ? [] : ["Cache-Control", "no-store"]),
    "X-Content-Type-Options",
    "nosniff",
    OWN_ANSWER_FIELD,
    token(why),
    ...(status < 400 ? [] : ["Proxy-Status", proxyStatus(status, why)]),
    "Content-Length",
    String(Buffer.byteLength(body)),
  ];
}

function proxyStatus(status: number, why: string): string {
  if (PROXY_ERRORS.has(why)) return `${PROXY_NAME}; error=${why}`;
  const error = status >= 500 ? "proxy_internal_response" : requestError(status);
  return `${PROXY_NAME}; error=${error}; details="${token(why)}"`;
}

const requestError = (status: number): string =>
  status === 401 || status === 403 || status === 429 ? "http_request_denied" : "http_request_error";

/** A word of ours, kept to what may stand in a field whoever chose it. */
const token = (why: string): string => why.replace(/[^A-Za-z0-9._-]/g, "-");

/** `closes`: nothing more can come on this connection, because its framing is in doubt. */
export function sendOwnAnswer(response: ServerResponse, answer: OwnAnswer, closes = false): void {
  const fields = [...ownFields(answer)];
  if (closes) fields.push("Connection", "close");
  response.writeHead(answer.status, reasonOf(answer.status), fields);
  // As bytes: text would be written together with the head, and the head is Latin-1.
  response.end(Buffer.from(answer.body));
}

/** The same as bytes, for a connection that has no request: what came is no HTTP. */
export function ownAnswerBytes(answer: OwnAnswer): Buffer {
  const fields = [...ownFields(answer), "Connection", "close"];
  const head = `HTTP/1.1 ${answer.status} ${reasonOf(answer.status)}\r\n${fieldLines(fields)}\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(answer.body)]);
}

const reasonOf = (status: number): string => STATUS_CODES[status] ?? "";

/** An answer of a status, its word and one line of text. */
export function own(status: number, why: string, text: string, ...fields: string[]): OwnAnswer {
  return { status, why, fields, body: `${text}\n` };
}

/** Seconds after which a visitor may look again. */
const RETRY_AFTER = ["Retry-After", "5"] as const;

/** Answers that need no facts. They name neither the service's address nor what the visitor sent. */
export const OWN = {
  badHost: own(400, "bad-host", "The request does not name one host."),
  badTarget: own(400, "bad-target", "The request has no proper path."),
  badFraming: own(400, "bad-framing", "The request is not proper HTTP/1.1."),
  headTooLong: own(431, "head-too-long", "The head of the request is too long."),
  headTimeout: own(408, "head-timeout", "The head of the request did not come in time."),
  bodyTimeout: own(408, "body-timeout", "The body of the request did not come in time."),
  bodyTooLong: own(413, "body-too-long", "The body of the request is too long."),
  otherHost: own(421, "other-host", "This address does not serve that host."),
  method: own(
    405,
    "method",
    "This method is not allowed here.",
    "Allow",
    "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
  ),
  expectation: own(417, "expectation", "Only 100-continue can be expected."),
  coding: own(501, "coding", "A transfer coding other than chunked is not understood."),
  loop: own(
    508,
    "proxy_loop_detected",
    "The request came here before: the service leads back to its own public address.",
  ),
  reserved: own(404, "not-found", "There is nothing here."),
  over: own(410, "gone", "This address is no longer in use."),
  busy: own(503, "connection_limit_reached", "Too many requests are under way.", ...RETRY_AFTER),
  notReady: own(503, "not-ready", "This address is not ready yet.", ...RETRY_AFTER),
} as const satisfies Record<string, OwnAnswer>;

/** The answer to a visitor when the service gave none: no address, which is for the owner alone. */
export function ofFailure(kind: string): OwnAnswer {
  if (kind.endsWith("_timeout")) return own(504, kind, "The service did not answer in time.");
  if (kind === "destination_unavailable")
    return own(503, kind, "The owner of the service is away, or has still to let you in.", ...RETRY_AFTER);
  if (kind === "connection_refused") return own(502, kind, "The service is not running.");
  return own(502, kind, "The service gave no proper answer.");
}
