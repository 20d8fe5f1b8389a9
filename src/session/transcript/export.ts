import type { AuditEntry, Attestation } from "../../protocol/room/audit-log.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { SpokenEntry } from "../../protocol/room/log.ts";
import { encodeWithdrawal } from "../../protocol/services/offer.ts";
import {
  FORMAT,
  FORMAT_VERSION,
  transcriptHash,
  type TranscriptDocument,
  type TranscriptEntry,
  type UnsignedTranscript,
} from "./document.ts";
import { auditOf } from "./decisions.ts";
import { offerText, serviceOfferText } from "./offer-text.ts";
import { withoutLinks } from "./redact.ts";

/** The source of a transcript: a tunnel of either role, open or ended. */
export interface TranscriptSource {
  readonly goal: string;
  readonly attestation: Attestation | undefined;
  readonly inbox: { said(): Iterable<SpokenEntry> };
  readonly signing?: { readonly isDemanded: boolean };
  readonly oversight?: { readonly audit: Parameters<typeof auditOf>[0] };
}

/** How much of the end is wanted; all that is kept when left out. */
export interface TranscriptLimit {
  readonly entries: number;
  /** The length of all texts together, in UTF-16 units; the newest entry is there however long it is. */
  readonly chars: number;
  /** Longer texts are left out; none where this is not given. */
  readonly longest?: number;
}

/**
 * A tunnel's transcript: the texts that this side was told, without links and keys of files, and the proof of their order.
 * A part of it is a transcript of its own, with its own beginning and signature.
 * @throws {TunnelError} tunnel-closed: it ended before it began
 */
export function exportTranscript(
  primitives: Primitives,
  source: TranscriptSource,
  options: { readonly now: number; readonly limit?: TranscriptLimit },
): TranscriptDocument {
  const { attestation, goal } = source;
  if (attestation === undefined) throw new TunnelError("tunnel-closed");
  const { room, host, self, log } = attestation;
  const texts = new Map<number, Shown>();
  for (const entry of source.inbox.said()) texts.set(entry.seq, shownOf(entry));
  const from = options.limit === undefined ? 0 : beforeThose(log.places, texts, options.limit);
  const longest = options.limit?.longest ?? Number.POSITIVE_INFINITY;
  for (const [seq, { text }] of texts) if (text.length > longest) texts.delete(seq);
  const { start, entries } = log.after(from);
  const audit = source.oversight && auditOf(source.oversight.audit);
  const unsigned: UnsignedTranscript = {
    format: FORMAT,
    version: FORMAT_VERSION,
    room,
    goal: withoutLinks(goal),
    host,
    exportedBy: self,
    exportedAt: options.now,
    start: { ...start.view, members: [...start.members] },
    entries: entries.map((evidence) => entryOf(evidence, texts.get(evidence.seq))),
    end: log.end,
    ...(audit === undefined ? {} : { audit }),
    ...(source.signing?.isDemanded === true ? { signOff: "demanded" as const } : {}),
  };
  return { ...unsigned, signature: attestation.attest(transcriptHash(primitives, unsigned)) };
}

/** The newest places that fit, one at least, are those after this one. */
function beforeThose(
  places: readonly number[],
  texts: ReadonlyMap<number, Shown>,
  limit: TranscriptLimit,
): number {
  let chars = 0;
  let first = places.length;
  for (; first > 0 && places.length - first < limit.entries; first -= 1) {
    chars += texts.get(places[first - 1] ?? 0)?.text.length ?? 0;
    if (chars > limit.chars && first < places.length) break;
  }
  return places[first - 1] ?? 0;
}

interface Shown {
  readonly text: string;
  readonly redacted?: true;
}

/** A text as it may be passed on. */
function shownOf(entry: SpokenEntry): Shown {
  if (entry.kind === "file") return { text: offerText(entry.offer), redacted: true };
  if (entry.kind === "service") return { text: serviceOfferText(entry.offer), redacted: true };
  if (entry.kind === "withdrawal") return { text: encodeWithdrawal(entry.service) };
  if (entry.kind !== "chat") return redactedText(entry.source);
  return redactedText(entry.text);
}

function redactedText(said: string): Shown {
  const text = withoutLinks(said);
  return text === said ? { text } : { text, redacted: true };
}

function entryOf(evidence: AuditEntry, shown: Shown | undefined): TranscriptEntry {
  if (evidence.kind === "event" || shown === undefined) return evidence;
  return { ...evidence, ...shown };
}

/** The number of texts that had links taken out. Offers always lose their key, which is worth no warning. */
export function redactedIn({ entries }: TranscriptDocument): number {
  return entries.filter(
    (entry) => entry.kind === "message" && entry.redacted === true && entry.signed.what !== "file",
  ).length;
}
