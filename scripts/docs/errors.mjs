/** docs/ERRORS.md: every code that a tool or a command can show. */
import { GENERATED, cell, table } from "./markdown.mjs";

const HEAD = ["Code", "What happened", "Next step for an agent", "Next step for a person", "Retry"];

export function errorsPage({ AREAS }) {
  const rowsOf = (area) =>
    Object.entries(area).map(([code, { message, next, nextForPerson, retryable }]) => [
      `\`${code}\``,
      cell(message),
      cell(next),
      cell(nextForPerson ?? "the same"),
      retryable ? "yes" : "no",
    ]);
  return [
    "# Errors",
    GENERATED,
    "Every failure that a tool or a command can show. Codes are stable. _Retry_ tells whether the same call may " +
      "succeed later without anything being changed. Tools show the next step for an agent, commands that for a " +
      "person. No error contains a key, a link or a peer's words.",
    ...Object.entries(AREAS).flatMap(([title, area]) => [`## ${title}`, table(HEAD, rowsOf(area))]),
  ].join("\n\n");
}
