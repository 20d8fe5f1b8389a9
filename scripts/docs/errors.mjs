/** docs/ERRORS.md: every code that a tool or a command can show. */
import { GENERATED, cell, table } from "./markdown.mjs";

export function errorsPage({ ERRORS }) {
  const rows = Object.entries(ERRORS).map(([code, { message, next, retryable }]) => [
    `\`${code}\``,
    cell(message),
    cell(next),
    retryable ? "yes" : "no",
  ]);
  return [
    "# Errors",
    GENERATED,
    "Every failure that a tool or a command can show. Codes are stable. _Retryable_ means that the same call may " +
      "succeed later without anything being changed. What is shown never contains a key, a link or a peer's words.",
    table(["Code", "What happened", "Next step", "Retryable"], rows),
  ].join("\n\n");
}
