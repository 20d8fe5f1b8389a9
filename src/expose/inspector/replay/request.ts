import { TunnelError } from "../../../errors/tunnel-error.ts";
import { valuesOf, without, type RawFields, type RequestHead } from "../../message.ts";
import type { Upstream } from "../../upstream.ts";
import type { Exchange } from "../exchange.ts";
import { SENDERS_FIELDS, type Overrides } from "./input.ts";

/** A request as it goes to the service: whole, so that its length is known. */
export interface OutgoingRequest extends RequestHead {
  readonly body: Uint8Array;
}

/** What a visitor says of hops before it; only who passes a request on may say so (RFC 7239 §8.1, RFC 9110 §7.6.3). */
const FORWARDED: ReadonlySet<string> = new Set([
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-forwarded-server",
  "x-real-ip",
]);

/** A field list as it goes to the service, `Host` included: with what is put in for a visitor, such as forwarded fields. */
export type Rewrite = (fields: RawFields, original: Exchange) => RawFields;

/** Without forwarded fields, since this request comes from here. */
export const fromHere =
  ({ host, secretField }: Upstream): Rewrite =>
  (fields) => ["Host", host, ...without(fields, FORWARDED), ...(secretField ?? [])];

/** Methods whose empty body has a length too (RFC 9110 §8.6). */
const WITH_LENGTH: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);
/** Methods whose body has no meaning (RFC 9110 §9.3): a recorded one does not go along with a change to them. */
const BODYLESS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "DELETE"]);

/**
 * The recorded request with what was asked to be different, for the service alone.
 * @throws {TunnelError} replay-impossible
 */
export function outgoingRequest(exchange: Exchange, overrides: Overrides, rewrite: Rewrite): OutgoingRequest {
  checkReplayable(exchange);
  const method = overrides.method ?? exchange.method;
  const drops = method !== exchange.method && BODYLESS.has(method.toUpperCase());
  const body = overrides.body ?? (drops ? new Uint8Array(0) : recordedBody(exchange));
  const recorded = without(exchange.request.fields, hopFields(exchange.request.fields));
  // An own body is not in the encoding of the recorded one.
  const coded = overrides.body === undefined ? recorded : without(recorded, CODED);
  const rewritten = without(rewrite(coded, exchange), ANEW);
  const length =
    body.length > 0 || WITH_LENGTH.has(method.toUpperCase()) ? ["Content-Length", String(body.length)] : [];
  return {
    method,
    target: overrides.target ?? exchange.target,
    fields: [...merged(rewritten, overrides.fields), ...length],
    body,
  };
}

/** Framing and connection, which are this request's own. */
const ANEW: ReadonlySet<string> = new Set([...SENDERS_FIELDS].filter((name) => name !== "host"));
const CODED: ReadonlySet<string> = new Set(["content-encoding"]);

/** Fields for one hop alone: those that are set anew, and those that `Connection` names (RFC 9110 §7.6.1). */
function hopFields(fields: RawFields): ReadonlySet<string> {
  const named = valuesOf(fields, "connection").flatMap((value) => value.split(","));
  return new Set([...SENDERS_FIELDS, ...named.map((name) => name.trim().toLowerCase())]);
}

/** Each field that is given stands where the first recorded one of its name stood, or at the end. */
function merged(recorded: RawFields, given: Overrides["fields"]): string[] {
  const fields: string[] = [];
  const put = new Set<string>();
  for (let index = 0; index + 1 < recorded.length; index += 2) {
    const name = recorded[index] ?? "";
    const key = name.toLowerCase();
    const own = given.get(key);
    if (own === undefined) fields.push(name, recorded[index + 1] ?? "");
    else if (!put.has(key)) fields.push(...own.values.flatMap((value) => [own.name, value]));
    put.add(key);
  }
  for (const [key, { name, values }] of given)
    if (!put.has(key)) fields.push(...values.flatMap((value) => [name, value]));
  return fields;
}

function checkReplayable({ decided, isWhole, upgraded, request, response, target }: Exchange): void {
  if ("refused" in decided) throw impossible("it was not let in, so it never reached the service");
  if (!isWhole) throw impossible("nothing but metadata is kept here (inspect: false)");
  if (upgraded !== undefined || response?.status === 101) throw impossible("it became a WebSocket");
  if (request.areFieldsCut) throw impossible("its fields are not kept whole");
  // "OPTIONS *" asks about the server, not about anything at a path.
  if (!target.startsWith("/")) throw impossible("it has no path");
}

/** @throws {TunnelError} replay-impossible */
function recordedBody({ request, end }: Exchange): Uint8Array {
  const { body, fields } = request;
  const [length] = valuesOf(fields, "content-length");
  const isChunked = valuesOf(fields, "transfer-encoding").length > 0;
  const kept = `of its body, ${body.kept.length} of ${body.bytes} bytes are kept`;
  if (body.isCut) throw impossible(kept);
  // A service may answer before it has all of a body, so only an end that follows from the body's own end tells that it came whole.
  const cameWhole = isChunked ? end?.how === "complete" || end?.how === "own-answer" : true;
  if (!cameWhole || (length !== undefined && !isChunked && Number(length) !== body.bytes))
    throw impossible("its body has not come whole");
  return body.kept;
}

function impossible(detail: string): TunnelError {
  return new TunnelError("replay-impossible", { detail });
}
