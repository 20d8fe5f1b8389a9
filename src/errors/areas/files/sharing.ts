import type { ErrorArea } from "../../base/entry.ts";
import { INPUT_LIMITS, limitText } from "../../base/limits.ts";

/** Files of this machine that are to be shared. */
export const SHARING = {
  "share-limit": {
    message: "no more files can be shared in this tunnel",
    next: "Open a new tunnel for further files, or put several into one archive there.",
    retryable: false,
  },
  "share-not-found": {
    message: "there is no file at this path",
    next: "Check the path: it is relative to the working directory of this server.",
    nextForPerson: "Check the path: it is relative to the folder in which you started this.",
    retryable: false,
  },
  "share-not-a-file": {
    message: "this is not a plain file, and only plain files can be shared",
    next: "A folder goes by `paths`. Devices, pipes and sockets cannot be shared.",
    nextForPerson: "Devices, pipes and sockets cannot be shared.",
    retryable: false,
  },
  "share-too-many": {
    message: `there are more than ${INPUT_LIMITS.treeEntries.toLocaleString("en-US")} files in one offer, or their names are too long`,
    next: "Share parts of it one after the other, or pack it into an archive. Ignored files are left out where .gitignore names them.",
    retryable: false,
  },
  "share-nothing-left": {
    message: "nothing is left to share: every file is ignored, refused, or not there",
    next: "See which file is named, and why. A single one that your human may decide on goes by `path`.",
    nextForPerson:
      "See which file is named, and why. A single one on which you can decide is shared by its own path.",
    retryable: false,
  },
  "share-unreadable": {
    message: "the file cannot be read",
    next: "Check its permissions, then share it again.",
    retryable: false,
  },
  "share-too-large": {
    message: `the file is larger than ${limitText(INPUT_LIMITS.fileBytes)}`,
    next: "Share a part of it, or another file.",
    retryable: false,
  },
  "scan-failed": {
    message: "the search for secrets did not end, so nothing was sent",
    next: "Try again. If it fails again, tell your human: nothing leaves without that search.",
    nextForPerson: "Try again. If it fails again, start again: nothing leaves without that search.",
    retryable: true,
  },
  "share-changed": {
    message: "the file was changed after it was shared",
    next: "Share it again when it is as it should be.",
    retryable: false,
  },
  "share-gone": {
    message: "the file was deleted or moved after it was shared",
    next: "Share it again from where it is now.",
    retryable: false,
  },
} as const satisfies ErrorArea;
