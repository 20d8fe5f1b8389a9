import type { Ask, Decider } from "../asks/ask.ts";
import type { Gate } from "../gates/gates.ts";

/**
 * What a person was asked and what they decided, kept with the transcript of a tunnel and signed with it (H18). It has digests and
 * no contents, and no words of the person: a transcript goes to others.
 */
export type AuditRecord = { readonly at: number } & (
  | {
      readonly kind: "asked";
      readonly ask: number;
      readonly gates: readonly Gate[];
      readonly digest: string;
      /** Id of the member that caused it; this side's own agent where left out. */
      readonly member?: string | undefined;
    }
  | {
      readonly kind: "decided";
      readonly ask: number;
      readonly digest: string;
      readonly outcome: "approved" | "edited" | "refused" | "expired" | "withdrawn";
      /** Where a person has answered: not for what nobody has decided. */
      readonly by?: AuditPath | undefined;
    }
  | { readonly kind: "mode"; readonly mode: Mode; readonly by: AuditPath }
  /** A person's face has come or gone: one that nobody remembers opening is worth a look (P13). */
  | { readonly kind: "face"; readonly face: "watch" | "page"; readonly change: "opened" | "closed" }
);

type AuditPath = Decider["path"];

/** A change that a person has made by themselves. */
export type Mode =
  | "pause"
  | "resume"
  | "hold-out"
  | "hold-in"
  | "hold-off"
  | "go-on"
  | "end"
  | "remove"
  | "revoke"
  | "say"
  | "sign"
  | "not-sign";

export const MAX_RECORDS = 2_000;

export class AuditTrail {
  #records: AuditRecord[] = [];
  #dropped = 0;

  /** Oldest first. */
  get records(): readonly AuditRecord[] {
    return this.#records;
  }

  /** Older ones that are no longer kept. */
  get dropped(): number {
    return this.#dropped;
  }

  add(record: AuditRecord): void {
    this.#records.push(record);
    if (this.#records.length <= MAX_RECORDS) return;
    this.#records.shift();
    this.#dropped += 1;
  }
}

export function askedRecord({ id, gates, digest, causer, askedAt }: Ask): AuditRecord {
  const member = causer === "own-agent" ? {} : { member: causer.member };
  return { at: askedAt, kind: "asked", ask: id, gates, digest, ...member };
}

/** @returns `undefined` while it waits */
export function decidedRecord({ id, digest, now }: Ask): AuditRecord | undefined {
  switch (now.state) {
    case "waiting":
      return undefined;
    case "approved":
      return {
        at: now.at,
        kind: "decided",
        ask: id,
        digest,
        outcome: now.isEdited ? "edited" : "approved",
        by: now.by.path,
      };
    case "refused":
      return { at: now.at, kind: "decided", ask: id, digest, outcome: "refused", by: now.by.path };
    case "expired":
    case "withdrawn":
      return { at: now.at, kind: "decided", ask: id, digest, outcome: now.state };
  }
}
