import type { ErrorArea } from "../../base/entry.ts";
import { INPUT_LIMITS, limitText, OLDEST_GIT } from "../../base/limits.ts";

const GIT = `${OLDEST_GIT.major}.${OLDEST_GIT.minor}`;

/** git, and patches made with it. */
export const PATCHES = {
  "git-missing": {
    message: "there is no git on this machine that can be used",
    next: `Share the files themselves, or ask your human to install git (${GIT} or later) and to start this server again.`,
    nextForPerson: `Install git (${GIT} or later) and start this again, or share the files themselves.`,
    retryable: false,
  },
  "git-not-owned": {
    message: "git does not use the repository here because it belongs to another user (safe.directory)",
    next: "Tell your human. If they trust this repository, they run the command that is named; then try again.",
    nextForPerson: "If you trust this repository, run the command that is named, then try again.",
    retryable: false,
  },
  "git-unavailable": {
    message: "there is no git repository here that can be used",
    next: "See whether the working directory of this server is in a repository with a commit, and `git status` works there. Without a repository share a file instead.",
    nextForPerson:
      "Check that the folder in which you started this is in a repository with a commit, and that `git status` works there.",
    retryable: false,
  },
  "git-failed": {
    message: "git did not do what it was asked",
    next: "Check that `git status` works in the working directory of this server, then try again.",
    retryable: true,
  },
  "patch-range": {
    message: "the range does not name commits of this repository that a patch can be made of",
    next: "Give one commit, or two as BASE..TIP: the changes on TIP since it left BASE. Leave it out to send what is not committed yet.",
    retryable: false,
  },
  "patch-merges": {
    message: "merge commits are among these, and git format-patch has no form for them",
    next: "Leave out `commits`: the whole change goes as one patch. Or give ranges of commits that hold no merge.",
    retryable: false,
  },
  "patch-conflicts": {
    message: "there are merge conflicts that nobody has resolved yet",
    next: "Resolve the files that are named (`git status` shows them), or give a range of commits instead.",
    retryable: false,
  },
  "patch-untracked": {
    message: "a folder that git neither tracks nor ignores is too much for a patch",
    next: "Ask your human to add the line that is named to .gitignore. If the folder belongs to the change, commit it and give the range.",
    nextForPerson:
      "Add the line that is named to .gitignore. If the folder belongs to the change, commit it and give the range.",
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
