import type { ErrorArea } from "../../base/entry.ts";
import { INPUT_LIMITS } from "../../base/limits.ts";

const DISHONEST = {
  next: "Nothing was saved. Tell your human: an honest sender does not do this.",
  nextForPerson: "Nothing was saved. Do not trust this sender: an honest one does not do this.",
  retryable: false,
} as const;

const ASK_AGAIN = {
  next: "Nothing was saved. Ask the sender to share it again. If it keeps failing, tell your human.",
  nextForPerson:
    "Nothing was saved. Ask the sender to share it again. If it keeps failing, do not trust this sender.",
  retryable: false,
} as const;

/** Files on their way from the sender to this side. */
export const FILES = {
  "file-unknown": {
    message: "no file with this id is offered to this side",
    next: "Use the fileId of a message of kind `file` from tunnel_listen, or ask the sender to share it again.",
    nextForPerson: "Use an id from /files or the event `file`, or ask the sender to share it again.",
    retryable: false,
  },
  "file-not-as-named": {
    message: "the file is not offered under this name by this member",
    next: "Nothing was saved. Give `name` and `from` as the message of kind `file` shows them (`name`, `fromName`), and tell your human if that is not what they expect.",
    nextForPerson: "Nothing was saved. Look at the list of files: who offers it, and under what name.",
    retryable: false,
  },
  "tree-path-unknown": {
    message: "the offered folder has no such path",
    next: "Give paths in `only` as the offer lists them, with / between the names; a folder stands for all below it. Leave `only` out for everything.",
    nextForPerson: "Give paths as the offer lists them, or leave them out for everything.",
    retryable: false,
  },
  "tree-invalid": {
    message: "the list of the offered folder is not one that a folder can have",
    ...DISHONEST,
  },
  "note-invalid": {
    message: "the note is empty, too long, or has characters that are not allowed",
    next: `Give up to ${INPUT_LIMITS.noteChars} characters of plain text, or leave the note out and use tunnel_say.`,
    nextForPerson: `Give up to ${INPUT_LIMITS.noteChars} characters of plain text, or send it as a message.`,
    retryable: false,
  },
  "file-own": {
    message: "this side shares this file itself",
    next: "Use it where it is. The others fetch it with tunnel_receive.",
    nextForPerson: "Use it where it is.",
    retryable: false,
  },
  "file-sender-left": {
    message: "the sender has left the tunnel, so the file cannot be fetched",
    next: "Ask the sender to come back and share it again.",
    retryable: false,
  },
  "file-stalled": {
    message: "the sender has sent nothing of the file for too long",
    next: "Check in tunnel_status that the sender is connected, then call tunnel_receive again.",
    nextForPerson: "Check that the sender is connected, then receive it again.",
    retryable: true,
  },
  "file-gone": {
    message: "the sender has deleted the file or can no longer read it",
    next: "Ask the sender to share it again.",
    retryable: false,
  },
  "file-changed": {
    message: "the sender has changed the file since sharing it",
    next: "Ask the sender to share it again.",
    retryable: false,
  },
  "file-too-short": {
    message: "the file ended before the size that its sender had announced",
    ...ASK_AGAIN,
  },
  "file-too-long": { message: "the file is longer than its sender had announced", ...DISHONEST },
  "file-unfinished": {
    message: "the sender did not mark the end of the file where it had announced it",
    ...DISHONEST,
  },
  "file-out-of-order": { message: "the pieces of the file came in the wrong order", ...DISHONEST },
  "file-corrupt": {
    message: "a piece of the file is not what its sender sealed for this side",
    next: "Nothing was saved. Call tunnel_receive again. If it keeps failing, tell your human.",
    nextForPerson:
      "Nothing was saved. Receive it again. If it keeps failing, the sender or somebody on the path alters it.",
    retryable: true,
  },
  "file-hash-mismatch": { message: "the file is not the announced one: its SHA-256 differs", ...ASK_AGAIN },
  "transfer-limit": {
    message: "no more files can be received at once",
    next: "Wait until one is done (tunnel_status shows them), or end one with `cancel`. Then call again.",
    nextForPerson: "Wait until one is done, then receive it again.",
    retryable: true,
  },
} as const satisfies ErrorArea;
