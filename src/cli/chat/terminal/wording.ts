import { nextForPerson } from "../../../errors/tunnel-error.ts";
import type { SessionEnd } from "../../../session/session.ts";
import type { ErrorView } from "../../../view/errors.ts";
import type { StatusView } from "../../../view/status.ts";
import { ENDED } from "../../../view/words/system-text.ts";

export { resumeCommand } from "../../../view/words/kept.ts";

/** An error as two lines: the failure with its code, then the next step for a person. */
export function errorText({ code, message }: Pick<ErrorView, "code" | "message">): string {
  return `${message} (${code})\n${nextForPerson(code)}`;
}

const END: Readonly<Record<Exclude<SessionEnd["cause"], "failed">, string>> = {
  ...ENDED,
  "closed-here": "You have left.",
  "closed-by-host": ENDED.closed,
  removed: "The host has removed you from the tunnel.",
};

export function endText(end: SessionEnd, role: StatusView["role"]): string {
  if (end.cause === "closed-here" && role === "host") return "You have closed the tunnel.";
  return end.cause === "failed" ? `The tunnel has failed: ${errorText(end.error)}` : END[end.cause];
}
