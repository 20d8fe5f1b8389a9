import type { ErrorArea } from "../base/entry.ts";

/** Failures of any call. */
export const GENERAL = {
  "input-invalid": {
    message: "the input is incomplete or has the wrong form",
    next: "Correct what is named, then call again.",
    nextForPerson: "Correct what is named, then send it again.",
    retryable: false,
  },
  cancelled: {
    message: "this was cancelled before it finished",
    next: "Call again if you still need it.",
    nextForPerson: "Start it again if you still need it.",
    retryable: true,
  },
  internal: {
    message: "something went wrong inside tunnel-mcp",
    next: "Try again. If it keeps failing, tell your human, who can report it with the version number.",
    nextForPerson: "Try again. If it keeps failing, report it with the version number.",
    retryable: true,
  },
} as const satisfies ErrorArea;
