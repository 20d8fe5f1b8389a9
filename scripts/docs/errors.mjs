/** docs/ERRORS.md: every code that a tool or a command can show. */
import { GENERATED, cell, table } from "./markdown.mjs";

const HEAD = ["Code", "What happened", "Next step for an agent", "Next step for a person", "Retry"];

const rowsWhileOpen = (AREAS) =>
  Object.values(AREAS)
    .flatMap((area) => Object.entries(area))
    .filter(([, { whileOpen }]) => whileOpen !== undefined)
    .map(([code, { whileOpen }]) => [`\`${code}\``, cell(whileOpen.next), cell(whileOpen.nextForPerson)]);

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
    "## While a tunnel is open",
    "Where one of these befalls the address of a tunnel that is open (in `tunnel_status`, and in the notice `address-lost`), the next " +
      "step is another one, since a new address is tried by itself.",
    table(["Code", "Next step for an agent", "Next step for a person"], rowsWhileOpen(AREAS)),
  ].join("\n\n");
}
