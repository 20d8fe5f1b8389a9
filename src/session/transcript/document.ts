import * as z from "zod/mini";
import { toBase64url, type Bytes } from "../../protocol/base/bytes.ts";
import { MAX_RECORDS } from "../../oversight/audit/audit.ts";
import { auditSchema } from "./decisions.ts";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { SCHEMAS } from "../../protocol/room/frames.ts";
import { ROOM } from "../../protocol/base/limits.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { isGoal, isText } from "../../protocol/base/text.ts";
import { bytesOf, isLaidOut, roomId } from "../../protocol/base/header.ts";
import { parseJson } from "../../protocol/base/json.ts";
import { jsonEscape, replaceHidden } from "../../protocol/base/hidden-text.ts";
import { encodeUtf8 } from "../../protocol/base/utf8.ts";

/** A transcript as a document (PROTOCOL §16): the entries, and the signatures and hashes that prove them. */

const { counter, digests, hash, instant, member, memberId, recipients, roomEvent, signedFields } = SCHEMAS;

export const FORMAT = "tunnel-mcp transcript";
export const FORMAT_VERSION = 1;

const SIGNATURE_BYTES = 64;

const place = { seq: counter, ts: instant, chain: hash };

const said = z.strictObject({
  ...place,
  kind: z.literal("message"),
  signed: z.strictObject({ ...signedFields, from: memberId, to: z.optional(recipients), digests }),
  /** Missing where its exporter was not told it, or has no longer kept it. */
  text: z.optional(z.string().check(z.refine(isText))),
  /** Links, or the key of a file, were taken out of the text, so that it is not what was signed any more. */
  redacted: z.optional(z.literal(true)),
});

const happened = z.strictObject({
  ...place,
  kind: z.literal("event"),
  event: roomEvent.check(z.refine(({ kind }) => kind !== "chat" && kind !== "withheld")),
});

const body = {
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  room: roomId,
  goal: z.string().check(z.refine(isGoal)),
  host: memberId,
  exportedBy: memberId,
  exportedAt: instant,
  /** The order and the roster just before the first entry. */
  start: z.strictObject({
    seq: counter,
    chain: hash,
    members: z.array(member).check(z.minLength(1), z.maxLength(ROOM.maxMembers + ROOM.maxObservers)),
  }),
  entries: z
    .array(z.discriminatedUnion("kind", [said, happened]))
    .check(z.maxLength(ROOM.maxTranscriptEntries)),
  end: z.strictObject({ seq: counter, chain: hash }),
  audit: z.optional(auditSchema),
  /** Its exporter was to end it with the signatures of all persons. */
  signOff: z.optional(z.literal("demanded")),
};

const transcript = z.strictObject({ ...body, signature: bytesOf(SIGNATURE_BYTES) });

export type TranscriptDocument = z.infer<typeof transcript>;
export type UnsignedTranscript = Omit<TranscriptDocument, "signature">;
export type TranscriptEntry = TranscriptDocument["entries"][number];
export type MessageEntry = Extract<TranscriptEntry, { kind: "message" }>;

const bytesAsText = (_key: string, value: unknown): unknown =>
  value instanceof Uint8Array ? toBase64url(value) : value;

/** As it is written into a file: the same texts, with characters that only hide written as escapes of JSON. */
export function toJson(document: TranscriptDocument): string {
  return `${replaceHidden(JSON.stringify(document, bytesAsText, 2), jsonEscape)}\n`;
}

/** @throws {TunnelError} transcript-invalid: not a transcript of this version, naming where it differs first */
export function parseTranscript(json: string): TranscriptDocument {
  const value = parseJson(json);
  // A schema looks at every item of a list before it counts them, and a stranger's file may have millions.
  if (hasTooMany(value)) throw new TunnelError("transcript-invalid", { detail: "it has too many entries" });
  const parsed = transcript.safeParse(value);
  if (parsed.success && isOneForm(value, json)) return parsed.data;
  if (parsed.success)
    throw new TunnelError("transcript-invalid", {
      detail: "a key twice, or a number or text in another form",
    });
  const [issue] = parsed.error.issues;
  const path = must(issue, "the first issue").path.map(String).join(".").slice(0, 100);
  throw new TunnelError("transcript-invalid", path === "" ? {} : { detail: `at ${ascii7(path)}` });
}

/** A value has two texts at most, so that no two readers take one for two values: as RFC 8785 writes it, or as we do (J1). */
function isOneForm(value: unknown, json: string): boolean {
  const written = JSON.stringify(value);
  return isLaidOut(written, json) || isLaidOut(replaceHidden(written, jsonEscape), json);
}

function hasTooMany(value: unknown): boolean {
  const listed = lists.safeParse(value);
  if (!listed.success) return false;
  const { entries, start, audit } = listed.data;
  return (
    (entries?.length ?? 0) > ROOM.maxTranscriptEntries ||
    (start?.members?.length ?? 0) > ROOM.maxMembers + ROOM.maxObservers ||
    (audit?.records?.length ?? 0) > MAX_RECORDS
  );
}

const list = z.optional(z.custom<readonly unknown[]>((value) => Array.isArray(value)));
const lists = z.looseObject({
  entries: list,
  start: z.optional(z.looseObject({ members: list })),
  audit: z.optional(z.looseObject({ records: list })),
});

/** The names of unknown keys are a stranger's. */
function ascii7(text: string): string {
  return text.replace(/[^\w.-]/g, "?");
}

/** The hash that stands for a transcript under its exporter's signature (J2): of its JSON in the one form of RFC 8785. */
export function transcriptHash(
  primitives: Primitives,
  document: UnsignedTranscript | TranscriptDocument,
): Bytes {
  const plain = JSON.parse(JSON.stringify({ ...document, signature: undefined }, bytesAsText)) as unknown;
  return primitives.sha256(encodeUtf8(canonical(plain)));
}

/** Keys in order, no white space; numbers and texts as ECMAScript writes them, which is what the RFC asks for. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`);
  return `{${members.join(",")}}`;
}
