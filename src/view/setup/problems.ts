import type { ErrorCode, TunnelError } from "../../errors/tunnel-error.ts";

/** A fault of the settings or of this machine with which the program goes on. */
export interface ProblemView {
  readonly code: ErrorCode;
  readonly text: string;
  /** The next step for an agent. */
  readonly next: string;
}

/** More than these nobody reads at once; a list of folders may be long. */
const MAX_PROBLEMS = 12;
const MAX_TEXT_CHARS = 400;

/** Each once, at most so many; a step that several share stands with each of them. */
export function problemsView(problems: readonly TunnelError[]): ProblemView[] {
  const byText = new Map(problems.map((problem) => [problem.message, problem]));
  return [...byText.values()]
    .slice(0, MAX_PROBLEMS)
    .map(({ code, message, next }) => ({ code, text: message.slice(0, MAX_TEXT_CHARS), next }));
}
