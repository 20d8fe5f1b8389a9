import type { PatchFacts } from "../protocol/files/offer.ts";
import type { CommitsInspection } from "../session/commits/inspect-commits.ts";
import type { ChangeFacts, ReceivedPatch } from "../session/files/local-files.ts";
import type { Applies, InspectedFile, PatchInspection } from "../session/git/inspect-patch.ts";

/** The findings of this side about a received patch, which is never applied. Names in it are the sender's. */
export type PatchView = AppliesView & {
  readonly baseIs: PatchInspection["base"];
  /** Undefined, as the counts of lines are, where git could not be asked. */
  readonly fileCount: number | undefined;
  readonly insertions: number | undefined;
  readonly deletions: number | undefined;
  /** Each kind of suspicion that some file has, once. */
  readonly suspicious: PatchInspection["suspicions"];
  readonly files: readonly InspectedFile[];
  /** Lets git use the repository here, which belongs to somebody else. */
  readonly command: string | undefined;
  /** By the sender's words: the hash of the last commit in it, what is not in it, and what else must be known of it. */
  readonly head: string | undefined;
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
  /** Undefined where it is one change without commits. */
  readonly commits: Omit<CommitsInspection, "applies"> | undefined;
};

export type AppliesView =
  | { readonly applies: "yes" }
  | { readonly applies: "no"; readonly failing: Extract<Applies, { kind: "no" }>["failing"] }
  | { readonly applies: "unknown"; readonly reason: Extract<Applies, { kind: "unknown" }>["reason"] };

/** A patch of this side, as its own people are told of it. */
export interface SharedPatchView extends PatchFacts {
  /** Undefined where the change begins with the first commit. */
  readonly baseSubject: string | undefined;
  /** The last commit in it; undefined where it is not committed. */
  readonly head: string | undefined;
  readonly headSubject: string | undefined;
  /** What the change has and the patch has not. */
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

export function sharedPatchView(
  facts: PatchFacts,
  { base, head, leftOut, notes }: ChangeFacts,
): SharedPatchView {
  return {
    ...facts,
    baseSubject: base?.subject,
    head: head?.id,
    headSubject: head?.subject,
    leftOut,
    notes,
  };
}

export function patchView(inspection: ReceivedPatch): PatchView {
  const { base, applies, fileCount, insertions, deletions, suspicions, files, command, told } = inspection;
  return {
    baseIs: base,
    ...appliesView(applies),
    fileCount,
    insertions,
    deletions,
    suspicious: suspicions,
    files,
    command,
    head: told?.head,
    leftOut: told?.leftOut ?? [],
    notes: told?.notes ?? [],
    commits: inspection.commits,
  };
}

function appliesView(applies: Applies): AppliesView {
  switch (applies.kind) {
    case "yes":
      return { applies: "yes" };
    case "no":
      return { applies: "no", failing: applies.failing };
    case "unknown":
      return { applies: "unknown", reason: applies.reason };
  }
}
