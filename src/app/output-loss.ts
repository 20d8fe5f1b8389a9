import type { Command } from "../cli/args.ts";

/** The end of standard output before the end of the program. */
export type OutputLoss =
  /** Its reader has gone, as `head` does when it has seen enough. */
  | { readonly kind: "closed" }
  /** It cannot be written: a full disk, a broken device. `code` is the system's, such as ENOSPC. */
  | { readonly kind: "failed"; readonly code: string };

/** The codes of a pipe or a socket without a reader: POSIX, and Windows (EOF). */
const READER_GONE: ReadonlySet<string> = new Set(["EPIPE", "EOF", "ECONNRESET", "ERR_STREAM_DESTROYED"]);

export function lossOf(error: Error): OutputLoss {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  return READER_GONE.has(code) ? { kind: "closed" } : { kind: "failed", code };
}

/** The two lines that stderr gets; undefined where a reader has left, who knows. */
export function lossText(loss: OutputLoss): string | undefined {
  if (loss.kind === "closed") return undefined;
  return `tunnel-mcp: the output cannot be written (${loss.code})\n  Send it to another place, then run it again.\n`;
}

/** As shells number the end by SIGPIPE, which Node does not have: what is not known is no success. */
const SIGPIPE_CODE = 141;

/**
 * The exit code with which a lost output ends a command at once; undefined for a command that goes on to its end. Those
 * that change something must finish it, and those that are done in a moment keep the code that tells of their result.
 */
export function codeAfterLoss({ kind }: Command, loss: OutputLoss): 0 | 1 | typeof SIGPIPE_CODE | undefined {
  switch (kind) {
    // Nobody hears them any more.
    case "serve":
    case "wake-watch":
      return loss.kind === "closed" ? 0 : 1;
    case "demo":
    case "doctor":
    // Its exposures end with it: nobody would see who comes.
    case "expose":
      return loss.kind === "closed" ? SIGPIPE_CODE : 1;
    default:
      return undefined;
  }
}
