import type { Exit } from "./child.ts";
import { signalName } from "./signals.ts";

/** A line that a guard has written (guard-script.ts). */
export type GuardLine =
  | { readonly kind: "pid"; readonly pid: number }
  | {
      readonly kind: "exit";
      readonly status: number;
      readonly hasFailed: boolean;
      readonly isUnclear: boolean;
    }
  | { readonly kind: "remark" };

export function parseGuardLine(line: string): GuardLine {
  const pid = /^pid ([1-9]\d{0,9})$/.exec(line)?.[1];
  if (pid !== undefined) return { kind: "pid", pid: Number(pid) };
  const [, status, rest = ""] = /^exit (\d{1,3})( .*)?$/.exec(line) ?? [];
  if (status === undefined) return { kind: "remark" };
  const words = rest.split(" ");
  return {
    kind: "exit",
    status: Number(status),
    hasFailed: words.includes("failed"),
    isUnclear: words.some((word) => word.startsWith("unclear")),
  };
}

/** No shell makes a remark on these two. By convention the codes mean the same. */
const WITHOUT_REMARK = ["SIGINT", "SIGPIPE"];

/**
 * The end of a child by the status that a shell gives for it: 128 and the number of the signal, more in some shells, or the
 * exit code. A shell that remarks on signals and has not done so means an exit code, also above 128.
 */
export function exitOf(
  { status, hasFailed, isUnclear }: Extract<GuardLine, { kind: "exit" }>,
  { file, hasRemarked }: { readonly file: string; readonly hasRemarked: boolean },
): Exit {
  if (hasFailed) return { failure: startFailure(file, status === 127 ? "ENOENT" : "EACCES") };
  const signal = status > 128 ? signalName(status > 256 ? status & 127 : status - 128) : undefined;
  if (signal === undefined) return { code: status };
  const isSignal = hasRemarked || isUnclear || status > 256 || WITHOUT_REMARK.includes(signal);
  return isSignal ? { signal } : { code: status };
}

/** The error that Node gives for a program that cannot be started. */
function startFailure(file: string, code: "ENOENT" | "EACCES"): Error {
  return Object.assign(new Error(`spawn ${file} ${code}`), { code, syscall: `spawn ${file}`, path: file });
}
