import type { ErrorArea } from "../base/entry.ts";
import { RESTART } from "../base/steps.ts";

/** Settings, the folders of the system, and the clients of this machine that `setup` registers with. */
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
  "setting-ignored": {
    message: "a setting has a value that cannot be used, so it is ignored",
    next: `Go on: what is set by default holds. To have what was meant, ask your human to correct or unset the variable ${RESTART}.`,
    nextForPerson:
      "Correct or unset the variable, then start again. Until then what is set by default holds.",
    retryable: false,
  },
  "setting-unknown": {
    message: "a variable is named like a setting, and there is no such setting",
    next: `Go on: it is ignored. Ask your human to correct its name or to unset it, ${RESTART}.`,
    nextForPerson: "Correct its name or unset it, then start again. Until then it is ignored.",
    retryable: false,
  },
  "home-unusable": {
    message: "the home folder of this user is not there or cannot be written to",
    next: `Go on: only fetching cloudflared needs it. Ask your human to set HOME or XDG_CACHE_HOME (LOCALAPPDATA on Windows) to a folder that can be written to, or TUNNEL_CLOUDFLARED to a cloudflared that is there, ${RESTART}.`,
    nextForPerson:
      "Set HOME or XDG_CACHE_HOME (LOCALAPPDATA on Windows) to a folder that can be written to, or TUNNEL_CLOUDFLARED to a cloudflared that is there.",
    retryable: true,
  },
  "temp-unusable": {
    message: "the folder for temporary files is not there or cannot be written to",
    next: "Go on: another one is used where there is one, and without one no patch can be made and no tunnel program started. Your human can make the folder, or set TMPDIR (TEMP on Windows) to one that can be written to.",
    nextForPerson:
      "Make the folder, or set TMPDIR (TEMP on Windows) to one that can be written to. Another one is used where there is one.",
    retryable: true,
  },
} as const satisfies ErrorArea;
