import type { ErrorArea } from "../base/entry.ts";

/** A person's decisions about what agents may cause. */
export const OVERSIGHT = {
  "secret-found": {
    message: "this has what looks like a secret in it, so nothing was sent",
    next: "Take the secret out. Do not reword, split or encode it: tell your human what you wanted to send.",
    nextForPerson: "Take the secret out. Nobody but you has seen it.",
    retryable: false,
  },
  "held-dropped": {
    message: "this waited for a person when the server ended, and it cannot be asked about again by itself",
    next: "Nothing of it was sent. Make the same call again if it is still wanted: your human is asked then.",
    nextForPerson: "Nothing of it was sent. Do it again if it is still wanted.",
    retryable: true,
  },
  "watch-no-terminal": {
    message: "this view takes decisions, so it needs a terminal with a person at it",
    next: "Leave it to your human: they type `tunnel-mcp watch` in a terminal of their own.",
    nextForPerson: "Type it in a terminal, without a pipe. With --json it only shows, and needs none.",
    retryable: false,
  },
  "watch-in-agent": {
    message: "this view is for a person, and an agent's shell is none",
    next: "Leave it to your human: they type `tunnel-mcp watch` in a terminal of their own.",
    nextForPerson: "Type it in a terminal of your own, outside the agent.",
    retryable: false,
  },
  "page-no-terminal": {
    message: "the page takes decisions, so it is opened at a terminal with a person at it",
    next: "Leave it to your human: they type `tunnel-mcp page` in a terminal of their own.",
    nextForPerson: "Type it in a terminal, without a pipe.",
    retryable: false,
  },
  "observe-no-terminal": {
    message: "the page on which somebody reads along is opened at a terminal with a person at it",
    next: "Leave it to your human: they type `tunnel-mcp observe` in a terminal of their own.",
    nextForPerson: "Type it in a terminal, without a pipe. With --json it needs none.",
    retryable: false,
  },
  "page-in-agent": {
    message: "the page is for a person, and an agent's shell is none",
    next: "Leave it to your human: they type `tunnel-mcp page` in a terminal of their own.",
    nextForPerson: "Type it in a terminal of your own, outside the agent.",
    retryable: false,
  },
  "page-no-port": {
    message: "all ports that are kept for the page are taken",
    next: "Leave it to your human: they can type `tunnel-mcp watch` instead.",
    nextForPerson: "End other pages, or use `tunnel-mcp watch`.",
    retryable: true,
  },
  "page-missing": {
    message: "the files of the page are not where the program is",
    next: "Leave it to your human: they can type `tunnel-mcp watch` instead.",
    nextForPerson: "Install tunnel-mcp again, or use `tunnel-mcp watch`.",
    retryable: false,
  },
  "look-not-here": {
    message: "the content of this file is not on this machine",
    next: "Leave it to your human: it can be looked at once it has been received.",
    nextForPerson: "Let your agent receive it, then look again.",
    retryable: true,
  },
  "look-not-text": {
    message: "this file is no text that could be shown",
    next: "Leave it to your human.",
    nextForPerson: "Open it with a program for its kind.",
    retryable: false,
  },
  "ask-unknown": {
    message: "nothing with this number waits for a decision",
    next: "Leave it: it was decided long ago, or never asked.",
    nextForPerson: "Type `asks` to see what waits.",
    retryable: false,
  },
  "ask-decided": {
    message: "this has been decided already, and the first answer counts",
    next: "Leave it as it is.",
    nextForPerson: "Nothing more is needed. Type `asks` to see what still waits.",
    retryable: false,
  },
  "ask-changed": {
    message: "what waits under this number is not what was shown",
    next: "Leave it to your human.",
    nextForPerson: "Look at it again with `show` and its number, then decide.",
    retryable: false,
  },
  "ask-not-text": {
    message: "only a message can be edited",
    next: "Leave it to your human.",
    nextForPerson: "Approve it as it is, or refuse it and say why.",
    retryable: false,
  },
  "sign-off-unknown": {
    message: "this is not the outcome that stands now",
    next: "Leave it to your human: persons alone sign.",
    nextForPerson: "Look at the outcome that stands now, then sign that, or refuse.",
    retryable: false,
  },
  "sign-off-over": {
    message: "this outcome takes no signature from you any more",
    next: "Where all are still agreed, propose the outcome anew with tunnel_propose_done.",
    nextForPerson: "Where all are still agreed, ask your agent to propose the outcome anew.",
    retryable: false,
  },
  "sign-off-unsound": {
    message: "a signature under an outcome does not hold, so it counts for nothing",
    next: "Tell your human. The outcome counts as unsigned by that member.",
    nextForPerson:
      "The outcome counts as unsigned by that member. Look whether both sides run the same version of tunnel-mcp; else that program is broken or hostile.",
    retryable: false,
  },
  "asks-crowded": {
    message: "too much waits for a person's decision already, so this was not taken",
    next: "Stop, and tell your human that they can decide what waits: they type `tunnel-mcp watch`.",
    nextForPerson: "Decide what waits first: type `tunnel-mcp watch`.",
    retryable: true,
  },
} as const satisfies ErrorArea;
