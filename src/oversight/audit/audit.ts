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
  readonly #onAdded: (record: AuditRecord) => void;
  #records: AuditRecord[] = [];
  #dropped = 0;

  constructor(onAdded: (record: AuditRecord) => void = () => undefined) {
    this.#onAdded = onAdded;
  }

  /** Oldest first. */
  get records(): readonly AuditRecord[] {
    return this.#records;
  }

  /** Older ones that are no longer kept. */
  get dropped(): number {
    return this.#dropped;
  }

  /** As an earlier process of this side left it. */
  restore({ records, dropped }: Pick<AuditTrail, "records" | "dropped">): void {
    this.#records = [...records];
    this.#dropped = dropped;
  }

  /** What was asked and has no answer yet: the number of each ask, by its digest. */
  get open(): ReadonlyMap<string, number> {
    const open = new Map<string, number>();
    for (const record of this.#records) {
      if (record.kind === "asked") open.set(record.digest, record.ask);
      if (record.kind === "decided" && open.get(record.digest) === record.ask) open.delete(record.digest);
    }
    return open;
  }

  /** The highest number of an ask in it; 0 where there is none. */
  get lastAsk(): number {
    return this.#records.reduce((last, one) => Math.max(last, "ask" in one ? one.ask : 0), 0);
  }

  add(record: AuditRecord): void {
    // A clock that was set back must not make a later record look earlier.
    const at = Math.max(record.at, this.#records.at(-1)?.at ?? 0);
    const placed = { ...record, at };
    this.#onAdded(placed);
    this.#records.push(placed);
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
