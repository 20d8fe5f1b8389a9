import type { ErrorArea } from "../base/entry.ts";

/** Transcripts, read and saved. */
export const TRANSCRIPTS = {
  "transcript-invalid": {
    message: "this is not a tunnel transcript that this version can read",
    next: "Use the .transcript.json file exactly as it was saved, or ask for the original.",
    retryable: false,
  },
  "transcript-not-saved": {
    message: "the transcript was not saved, and nothing was written",
    next: "Choose a name that does not exist yet, in an existing folder inside the working directory.",
    nextForPerson: "Choose a name that does not exist yet, in an existing folder.",
    retryable: false,
  },
} as const satisfies ErrorArea;
