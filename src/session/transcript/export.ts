import type { Evidence, Witness } from "../../protocol/evidence.ts";
import { TunnelError } from "../../protocol/errors.ts";
import type { Primitives } from "../../protocol/primitives.ts";
import type { ChatEntry } from "../../protocol/transcript.ts";
import {
  FORMAT,
  FORMAT_VERSION,
  transcriptHash,
  type TranscriptDocument,
  type TranscriptEntry,
  type UnsignedTranscript,
} from "./document.ts";
import { withoutLinks } from "./redact.ts";

/** What a transcript is made of: a tunnel of either role, open or ended. */
export interface TranscriptSource {
  readonly goal: string;
  readonly witness: Witness | undefined;
  readonly inbox: { said(): Iterable<ChatEntry> };
}

/** How much of the end is wanted; all that is kept when left out. */
export interface TranscriptLimit {
  readonly entries: number;
  /** Of the texts together, in UTF-16 units; the newest entry is there however long it is. */
  readonly chars: number;
}

/**
 * A tunnel's transcript: the texts that this side was told, without links, and the evidence. A part of it is a transcript
 * of its own, with its own beginning and signature.
 * @throws {TunnelError} tunnel-closed: it ended before it began
 */
export function exportTranscript(
  primitives: Primitives,
  source: TranscriptSource,
  options: { readonly now: number; readonly limit?: TranscriptLimit },
): TranscriptDocument {
  const { witness, goal } = source;
  if (witness === undefined) throw new TunnelError("tunnel-closed");
  const { room, host, self, log } = witness;
  const texts = new Map<number, string>();
  for (const { seq, text } of source.inbox.said()) texts.set(seq, text);
  const from = options.limit === undefined ? 0 : firstOf(log.end.seq, texts, options.limit);
  const { start, entries } = log.after(from);
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
  };
  return { ...unsigned, signature: witness.attest(transcriptHash(primitives, unsigned)) };
}

/** The place after which the part begins that fits. */
function firstOf(last: number, texts: ReadonlyMap<number, string>, limit: TranscriptLimit): number {
  let chars = 0;
  let seq = last;
  for (; seq > 0 && last - seq < limit.entries; seq -= 1) {
    chars += texts.get(seq)?.length ?? 0;
    if (chars > limit.chars && seq < last) break;
  }
  return seq;
}

function entryOf(evidence: Evidence, text: string | undefined): TranscriptEntry {
  if (evidence.kind === "event" || text === undefined) return evidence;
  const shown = withoutLinks(text);
  return { ...evidence, text: shown, ...(shown === text ? {} : { redacted: true }) };
}

/** How many messages are not shown as they were said. */
export function redactedIn({ entries }: TranscriptDocument): number {
  return entries.filter((entry) => entry.kind === "message" && entry.redacted === true).length;
}
