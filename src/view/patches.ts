import type { Applies, InspectedFile, PatchInspection } from "../session/git/inspect-patch.ts";

/** The findings of this side about a received patch, which is never applied. Names in it are the sender's. */
export type PatchView = AppliesView & {
  readonly baseIs: PatchInspection["base"];
  readonly fileCount: number;
  readonly insertions: number;
  readonly deletions: number;
  /** Each kind of suspicion that some file has, once. */
  readonly suspicious: PatchInspection["suspicions"];
  readonly files: readonly InspectedFile[];
};

export type AppliesView =
  | { readonly applies: "yes" }
  | { readonly applies: "no"; readonly failing: Extract<Applies, { kind: "no" }>["failing"] }
  | { readonly applies: "unknown"; readonly reason: Extract<Applies, { kind: "unknown" }>["reason"] };

export function patchView(inspection: PatchInspection): PatchView {
  const { base, applies, fileCount, insertions, deletions, suspicions, files } = inspection;
  return {
    baseIs: base,
    ...appliesView(applies),
    fileCount,
    insertions,
    deletions,
    suspicious: suspicions,
    files,
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
