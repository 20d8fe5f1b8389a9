import type { ErrorArea } from "../base/entry.ts";
import { INPUT_LIMITS } from "../base/limits.ts";

/** Messages, and those they go to. */
export const MESSAGES = {
  "goal-invalid": {
    message: "the goal cannot be used",
    next: `Give one line of text, up to ${INPUT_LIMITS.goalChars} characters, without control characters and without hidden ones that no letter or emoji needs.`,
    retryable: false,
  },
  "name-invalid": {
    message: "the name cannot be used",
    next: `Give one line of text, up to ${INPUT_LIMITS.nameChars} characters, without control characters and without hidden ones that no letter or emoji needs.`,
    retryable: false,
  },
  "text-invalid": {
    message: "the message text is empty or has characters that are not allowed",
    next: "Send text. Of the control characters only newline and tab are allowed; colours are taken out by themselves.",
    retryable: false,
  },
  "text-too-long": {
    message: `the message text is longer than ${INPUT_LIMITS.textBytes} bytes of UTF-8`,
    next: "Shorten it, split it, or write it into a file and call tunnel_share.",
    nextForPerson: "Shorten it, split it, or share it as a file.",
    retryable: false,
  },
  "reply-unknown": {
    message: "replyTo names a message that is not in this tunnel",
    next: "Use the seq of a message that tunnel_listen returned, or leave replyTo out.",
    nextForPerson: "Use the seq of a message that was shown here, or leave replyTo out.",
    retryable: false,
  },
  "member-unknown": {
    message: "nobody else in the tunnel has this name",
    next: "Use a name from `members` in tunnel_status. You cannot name yourself.",
    nextForPerson: "Use a name as /who or the event `presence` shows it. You cannot name yourself.",
    retryable: false,
  },
  "nobody-joined": {
    message: "nobody else is in this tunnel, so nobody would receive this",
    next: "Wait with tunnel_listen until somebody joins, then send it. Your human passes the invite on.",
    nextForPerson: "Give the invite to the other person, wait until they join, then send it.",
    retryable: true,
  },
  "not-the-host": {
    message: "only the host of a tunnel can do this",
    next: "Ask the host to do it.",
    retryable: false,
  },
  "member-slow": {
    message: "this member takes in too little, and others wait for it before they can say more",
    next: "Wait: it loses its place by itself if it stays so slow. To end it now, remove it with tunnel_invite({remove}), and invite it again later.",
    nextForPerson:
      "Wait: it loses its place by itself if it stays so slow. To end it now, remove it, and invite it again later.",
    retryable: true,
  },
  "outbox-full": {
    message: "too many messages are waiting for delivery, so this one was not accepted",
    next: "Wait until the others are connected and have caught up (tunnel_status shows it), then send it again.",
    nextForPerson: "Wait until the others are connected and have caught up, then send it again.",
    retryable: true,
  },
} as const satisfies ErrorArea;
