import { type RawFields, type ResponseHead, valuesOf } from "../../message.ts";
import { hopByHop } from "./hop-by-hop.ts";
import type { Origins } from "./origins.ts";
import type { Framing } from "../outgoing/body-reader.ts";
import { OWN_ANSWER_FIELD } from "./own-answers.ts";

const OWN_ANSWER = OWN_ANSWER_FIELD.toLowerCase();

/**
 * The head for the visitor: without the fields of the hop to the service, the length written anew, and the local address in
 * `Location` made public. All others stay as they are: pairs, in their order, each `Set-Cookie` for itself.
 */
export function responseHead(
  head: ResponseHead,
  framing: Framing,
  about: { readonly origins: Origins; readonly passesTrailers: boolean },
): ResponseHead {
  const { status, fields } = head;
  const isDropped = hopByHop(fields);
  const kept: string[] = [];
  let hasLength = false;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const value = fields[index + 1] ?? "";
    const lower = name.toLowerCase();
    if (lower === "content-length") {
      const length = hasLength ? undefined : lengthOf(value, status, framing);
      if (length !== undefined) kept.push(name, length);
      hasLength = true;
    } else if (lower === "trailer") {
      if (about.passesTrailers && framing.kind === "chunked") kept.push(name, value);
    } else if (!isDropped(lower) && lower !== OWN_ANSWER) {
      kept.push(name, lower === "location" ? about.origins.toPublicUrl(value) : value);
    }
  }
  // Edges and proxies on the way hold events back otherwise.
  if (isEventStream(fields) && valuesOf(fields, "x-accel-buffering").length === 0) {
    kept.push("X-Accel-Buffering", "no");
  }
  return { ...head, fields: kept };
}

/** Forbidden on 204, end to end on HEAD and 304, ours where there is a body (RFC 9110 §8.6). */
function lengthOf(value: string, status: number, framing: Framing): string | undefined {
  if (framing.kind === "length") return String(framing.bytes);
  return framing.kind === "none" && status !== 204 ? value : undefined;
}

function isEventStream(fields: RawFields): boolean {
  return valuesOf(fields, "content-type").some((type) => /^text\/event-stream(?:$|[;\s])/i.test(type));
}

/** An interim response, or a 101: without the fields of the hop, and without framing. */
export function interimFields(fields: RawFields): RawFields {
  const isDropped = hopByHop(fields);
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const lower = name.toLowerCase();
    if (!isDropped(lower) && lower !== "content-length" && lower !== OWN_ANSWER)
      kept.push(name, fields[index + 1] ?? "");
  }
  return kept;
}
