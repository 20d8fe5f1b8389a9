import type { ErrorArea } from "../base/entry.ts";

/** The folder of one of Anthropic's MCP tunnels (`anthropic-tunnel`), which people and their agents' shells call alike. */
export const ANTHROPIC = {
  "anthropic-folder-unusable": {
    message: "the folder of the tunnel cannot be used",
    next: "Use a folder of your own that is new, empty, or was made by anthropic-tunnel init, and no link.",
    retryable: false,
  },
  "anthropic-not-made": {
    message: "there is no tunnel's folder yet, or it is not complete",
    next: "Run anthropic-tunnel init with the same folder first: it makes what is missing and keeps the rest.",
    retryable: false,
  },
  "anthropic-file-invalid": {
    message: "a file of the tunnel's folder is not as it must be",
    next: "Correct what is named. Or run anthropic-tunnel init with --force: it writes the file anew and keeps the old one beside it, as NAME.old.",
    retryable: false,
  },
  "anthropic-openssl-missing": {
    message: "no usable openssl was found, which makes the certificates",
    next: "Install a current OpenSSL so that `openssl version` answers in this terminal, then run this again (Debian, Ubuntu: apt install openssl; macOS has it; Windows: winget install ShiningLight.OpenSSL.Light, or add Git's usr\\bin folder to PATH).",
    retryable: false,
  },
  "anthropic-openssl-failed": {
    message: "openssl did not make a usable certificate",
    next: "Try again. If it keeps failing, check `openssl version` and that the disk is not full.",
    retryable: true,
  },
  "anthropic-log-unusable": {
    message: "the log cannot be read",
    next: "Give a file of text with --log FILE, or send the log to stdin.",
    retryable: false,
  },
} as const satisfies ErrorArea;
