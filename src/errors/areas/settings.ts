import type { ErrorArea } from "../base/entry.ts";

/** Settings, and the clients of this machine that `setup` registers with. */
export const SETTINGS = {
  "config-invalid": {
    message: "an environment variable has a value that cannot be used",
    next: "Ask your human to correct or unset the named variable and to start the server again.",
    nextForPerson: "Correct or unset the named variable, then start again.",
    retryable: false,
  },
  "setup-place-passing": {
    message:
      "this copy of tunnel-mcp is in a folder that is cleared from time to time, so clients would lose it",
    next: "Clone tunnel-mcp into a permanent folder, build it there, and run its setup.",
    retryable: false,
  },
  "client-config-unusable": {
    message: "a client's configuration file cannot be changed safely",
    next: "Repair the named file, or add the entry by hand: `setup --print` shows it.",
    retryable: false,
  },
  "client-entry-foreign": {
    message: "another program is registered under the name tunnel",
    next: "Leave it, or run the same command with --force to replace or remove it.",
    retryable: false,
  },
  "client-project-ignored": {
    message: "the client would not read a file of this project",
    next: "Run setup without --project, which registers for all folders, or name another client.",
    retryable: false,
  },
} as const satisfies ErrorArea;
