import { createHash } from "node:crypto";
import type { RawFields } from "../../message.ts";
import { contentOf, type Content } from "../content.ts";
import type { KeptResponse } from "../exchange.ts";
import { DIFFERENCE } from "../limits.ts";
import { jsonChanges, jsonIn, type JsonChanges } from "./json-difference.ts";
import { lineChanges, type LineChanges } from "./line-difference.ts";

/** How a response to a replay differs from the recorded one. */
export interface Difference {
  /** `before` is undefined where the service gave no response then. */
  readonly status: { readonly before: number | undefined; readonly after: number };
  readonly fields: readonly FieldChange[];
  readonly body: BodyDifference;
  /** Status, body, and all fields but those that differ each time are the same. */
  readonly isSame: boolean;
}

export interface FieldChange {
  readonly change: "added" | "removed" | "changed";
  /** As it is written, in the newer response where it is in both. */
  readonly name: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Differs from response to response without a meaning, such as `Date`. */
  readonly isNoise: boolean;
}

/** `isPartial`: only the beginnings of the two were compared, since no more is kept. */
export type BodyDifference =
  | { readonly kind: "same"; readonly isPartial: boolean }
  | ({ readonly kind: "json" } & JsonChanges)
  | ({ readonly kind: "text"; readonly isPartial: boolean } & LineChanges)
  /** Bytes, or texts that have nothing to do with each other. Sizes are true ones; hashes are of what is kept. */
  | { readonly kind: "bytes"; readonly isPartial: boolean; readonly before: Sum; readonly after: Sum };

interface Sum {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** Fields that differ each time, or speak of one connection alone. */
const NOISE: ReadonlySet<string> = new Set([
  "age",
  "cf-ray",
  "connection",
  "date",
  "keep-alive",
  "server-timing",
  "traceparent",
  "transfer-encoding",
  "x-amzn-trace-id",
  "x-correlation-id",
  "x-process-time",
  "x-request-id",
  "x-response-time",
  "x-runtime",
  "x-trace-id",
]);

export function differenceOf(before: KeptResponse | undefined, after: KeptResponse): Difference {
  const fields = fieldChanges(before?.fields ?? [], after.fields);
  const body = before === undefined ? noBefore(after) : bodyDifference(before, after);
  const status = { before: before?.status, after: after.status };
  const isSame =
    status.before === status.after && body.kind === "same" && fields.every(({ isNoise }) => isNoise);
  return { status, fields, body, isSame };
}

interface Field {
  readonly name: string;
  readonly values: readonly string[];
}

function fieldChanges(before: RawFields, after: RawFields): FieldChange[] {
  const [old, fresh] = [byName(before), byName(after)];
  const changes: FieldChange[] = [];
  for (const key of new Set([...old.keys(), ...fresh.keys()])) {
    const [was, is] = [old.get(key), fresh.get(key)];
    const [first, second] = [was?.values ?? [], is?.values ?? []];
    if (was !== undefined && is !== undefined && isSameList(first, second)) continue;
    const change = was === undefined ? "added" : is === undefined ? "removed" : "changed";
    const name = is?.name ?? was?.name ?? key;
    changes.push({ change, name, before: first, after: second, isNoise: NOISE.has(key) });
  }
  return changes;
}

/** Order counts among lines of one name alone (RFC 9110 §5.3). */
function byName(fields: RawFields): Map<string, Field> {
  const found = new Map<string, { name: string; values: string[] }>();
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const field = found.get(name.toLowerCase()) ?? { name, values: [] };
    field.values.push(fields[index + 1] ?? "");
    found.set(name.toLowerCase(), field);
  }
  return found;
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

function noBefore(after: KeptResponse): BodyDifference {
  const nothing = { bytes: 0, sha256: sha256(new Uint8Array(0)) };
  return { kind: "bytes", isPartial: false, before: nothing, after: sumOf(after) };
}

function bodyDifference(before: KeptResponse, after: KeptResponse): BodyDifference {
  const [old, fresh] = [contentOf(before), contentOf(after)];
  const isPartial = !old.isWhole || !fresh.isWhole;
  const isSameBytes =
    Buffer.compare(old.bytes, fresh.bytes) === 0 && (!isPartial || before.body.bytes === after.body.bytes);
  if (isSameBytes) return { kind: "same", isPartial };
  return (
    textDifference(old, fresh, isPartial) ?? {
      kind: "bytes",
      isPartial,
      before: sumOf(before),
      after: sumOf(after),
    }
  );
}

function textDifference(old: Content, fresh: Content, isPartial: boolean): BodyDifference | undefined {
  if (old.text === undefined || fresh.text === undefined) return undefined;
  if (Math.max(old.text.length, fresh.text.length) > DIFFERENCE.comparedChars) return undefined;
  if (!isPartial) {
    const [was, is] = [jsonIn(old.text), jsonIn(fresh.text)];
    const changes = was === undefined || is === undefined ? undefined : jsonChanges(was.json, is.json);
    // Bytes differ, values do not: white space, order of keys, or numbers that a reader rounds. The lines show which.
    if (changes !== undefined && changes.changes.length > 0) return { kind: "json", ...changes };
  }
  const lines = lineChanges(old.text, fresh.text);
  return lines === undefined ? undefined : { kind: "text", isPartial, ...lines };
}

function sumOf({ body }: KeptResponse): Sum {
  return { bytes: body.bytes, sha256: sha256(body.kept) };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
