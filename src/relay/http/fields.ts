import { hopByHop } from "../../expose/gateway/rules/hop-by-hop.ts";
import { wantsTrailers } from "../../expose/gateway/rules/request-fields.ts";
import type { IncomingBody } from "../../expose/gateway/rules/request-rules.ts";
import type { RawFields } from "../../expose/message.ts";
import { SOURCE_FIELD } from "../../uplink/limits.ts";

export interface ToHost {
  readonly source: string;
  readonly body: IncomingBody;
  readonly expectsContinue: boolean;
  /** A WebSocket is asked for. */
  readonly upgrades: boolean;
  /** The connection serves nothing after this. */
  readonly closes: boolean;
  readonly httpVersion: string;
  /** Our name in `Via`. */
  readonly pseudonym: string;
}

const REPLACED: ReadonlySet<string> = new Set(["content-length", "expect", SOURCE_FIELD]);

/**
 * The field lines of a request for its host. Those of this hop go, and ours come after; all others stay pairs, in their order and case:
 * the rules on them are the gateway's (RFC 9110 §7.6).
 */
export function fieldsForHost(fields: RawFields, about: ToHost): string[] {
  const isDropped = hopByHop(fields);
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const lower = name.toLowerCase();
    // A visitor cannot take `Host` away by naming it in `Connection`.
    if (lower !== "host" && (isDropped(lower) || REPLACED.has(lower))) continue;
    kept.push(name, fields[index + 1] ?? "");
  }
  kept.push(SOURCE_FIELD, about.source, "Via", `${about.httpVersion} ${about.pseudonym}`);
  if (about.body.kind === "length") kept.push("Content-Length", String(about.body.bytes));
  if (about.body.kind === "chunked") kept.push("Transfer-Encoding", "chunked");
  if (about.expectsContinue) kept.push("Expect", "100-continue");
  const options: string[] = [];
  if (wantsTrailers(fields)) {
    options.push("TE");
    kept.push("TE", "trailers");
  }
  if (about.upgrades) {
    options.push("Upgrade");
    kept.push("Upgrade", "websocket");
  }
  if (about.closes) options.push("close");
  kept.push("Connection", options.length === 0 ? "keep-alive" : options.join(", "));
  return kept;
}

/** The field lines of a response for its visitor: framing is written anew where it is chunked, and a length stays. */
export function fieldsForVisitor(fields: RawFields, passesTrailers: boolean): string[] {
  const isDropped = hopByHop(fields);
  const kept: string[] = [];
  let isIndexed = true;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const lower = name.toLowerCase();
    if (isDropped(lower) && !(lower === "trailer" && passesTrailers)) continue;
    if (lower === "x-robots-tag") isIndexed = false;
    kept.push(name, fields[index + 1] ?? "");
  }
  if (isIndexed) kept.push("X-Robots-Tag", "noindex");
  return kept;
}
