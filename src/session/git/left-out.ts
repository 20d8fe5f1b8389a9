import { plainLabel } from "../paths/names.ts";

/** What a change has and its patch has not, or has only in part. */
export interface LeftOut {
  /** In the repository; a folder ends with `/`. */
  readonly path: string;
  readonly why: keyof typeof LEFT_OUT;
}

const LEFT_OUT = {
  "nested-repository": "a repository of its own that this one does not track",
  "submodule-moved": "a submodule that moves to another commit; that commit itself is not in the patch",
  "submodule-changed": "a submodule with uncommitted changes, which are not in the patch",
  lfs: "kept in LFS: the patch has its pointer and not its content",
  filter: "in the patch as it lies on the disk: the filter for it is this repository's own and was not run",
  marked: "changed, but marked assume-unchanged or skip-worktree, so not in the patch",
  unreadable: "a folder that could not be read",
} as const;

/** As both sides read it. */
export function leftOutText({ path, why }: LeftOut): string {
  const name = plainLabel(path.replaceAll(/\p{Cc}/gu, "?"), 200);
  return `${name}: ${LEFT_OUT[why]}`;
}
