import type { Disguise } from "./views/view.ts";

/** The places from which something leaves for the others. */
export const OUTBOUND = [
  "message",
  "note",
  "member-name",
  "goal",
  "file-name",
  "file",
  "patch",
  "work-context",
  "service-label",
  "tool-result",
] as const;

export type Outbound = (typeof OUTBOUND)[number];

/** One thing that looks like a secret. It never holds the value, its length or a part of it. */
export interface Finding {
  /** Such as "a GitHub token". */
  readonly rule: string;
  readonly where: Outbound;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters; in bytes where the content is not UTF-8 or UTF-16. */
  readonly column: number;
  readonly disguise: Disguise;
  /** The checksum in it is right, or it bears a mark that nothing else has. */
  readonly isCertain: boolean;
}

export type NotScanned = "too-large" | "compressed" | "binary";

/**
 * The filter's word on the whole of what would leave in one go. `digest` names exactly those bytes (SHA-256, lower-case hex):
 * a human who lets them go lets go of nothing else.
 */
export type Verdict = { readonly digest: string } & (
  | { readonly kind: "clear" }
  | {
      readonly kind: "found";
      /** The first ones, in the order of their places. */
      readonly findings: readonly Finding[];
      /** Whether the search has stopped here, and there may be more. */
      readonly hasMore: boolean;
    }
  | { readonly kind: "not-scanned"; readonly reason: NotScanned }
);

export const FILTER = {
  /** Larger content is not scanned. */
  maxBytes: 64 * 1024 * 1024,
  /** Findings that are listed; more would tell a reader nothing new. */
  maxFindings: 20,
  /** Texts of one act together; more is content, and goes to the thread. */
  maxTextBytes: 256 * 1024,
} as const;
