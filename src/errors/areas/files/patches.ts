import type { ErrorArea } from "../../base/entry.ts";
import { INPUT_LIMITS, limitText } from "../../base/limits.ts";

/** git, and patches made with it. */
export const PATCHES = {
  "git-unavailable": {
    message: "there is no git repository here that can be used",
    next: "See whether git is installed, the working directory of this server is in a repository with a commit, and `git status` works there. Without a repository share a file instead.",
    nextForPerson:
      "Check that git is installed, that the folder in which you started this is in a repository with a commit, and that `git status` works there.",
    retryable: false,
  },
  "git-failed": {
    message: "git did not do what it was asked",
    next: "Check that `git status` works in the working directory of this server, then try again.",
    retryable: true,
  },
  "patch-range": {
    message: "the range does not name commits of this repository",
    next: "Give one commit, or two as BASE..TIP. Leave it out to send what is not committed yet.",
    retryable: false,
  },
  "patch-empty": {
    message: "there are no changes to send",
    next: "Make the change first, or give the range of the commits that hold it.",
    retryable: false,
  },
  "patch-too-large": {
    message: `the patch is larger than ${limitText(INPUT_LIMITS.patchBytes)}`,
    next: "Send fewer commits at once, or push a branch and name it instead.",
    retryable: false,
  },
} as const satisfies ErrorArea;
