import type * as z from "zod/mini";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { lengthPrefixed, view, type Bytes } from "../base/bytes.ts";
import { decodeJson, jsonText } from "../base/header.ts";
import { decodeUtf8, encodeUtf8 } from "../base/utf8.ts";

/** Where a machine leaves its state, change by change, so that it can come back in another process. */
export interface Keeper {
  /**
   * Called before anything that follows from the change leaves the machine. `synced`: not even a power cut may take it, since without it
   * there is no way back.
   */
  keep(change: Bytes, how: "written" | "synced"): void;
  /** A number is about to be used: of an own message, or of a place in an own room. It must never stand for two contents. */
  reserve(counter: "said" | "placed", number: number): void;
}

/** Work that somebody may do a little at a time: each step takes a few milliseconds at most. */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** So many changes are one step. */
export const CHANGES_IN_STEP = 32;

/** Does it at once. */
export function finished<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** A change: what it is, and raw bytes. The form is that of this program alone; no peer ever sees one. */
export function encodeChange(header: unknown, ...bodies: readonly Bytes[]): Bytes {
  return lengthPrefixed(encodeUtf8(jsonText(header)), ...bodies);
}

/** @throws {TunnelError} stay-unreadable */
export function decodeChange<Schema extends z.ZodMiniType>(
  schema: Schema,
  change: Bytes,
): { header: z.infer<Schema>; bodies: readonly Bytes[] } {
  const [json, ...bodies] = fieldsOf(change);
  const text = json === undefined ? undefined : decodeUtf8(json);
  const header = text === undefined ? undefined : decodeJson(schema, text);
  if (header === undefined) throw new TunnelError("stay-unreadable");
  return { header, bodies };
}

function fieldsOf(change: Bytes): Bytes[] {
  const fields: Bytes[] = [];
  for (let at = 0; at < change.length;) {
    const begin = at + 4;
    const end = begin <= change.length ? begin + view(change).getUint32(at) : Number.POSITIVE_INFINITY;
    if (end > change.length) throw new TunnelError("stay-unreadable");
    fields.push(change.slice(begin, end));
    at = end;
  }
  return fields;
}
