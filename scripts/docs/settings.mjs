/** The table in docs/SETTINGS.md. */
import { environmentVariables } from "../sources.mjs";
import { cell, table } from "./markdown.mjs";

/** Names, meanings and accepted forms, as the program knows them. */
export function settingsTable(sources) {
  const rows = environmentVariables(sources).map(({ name, meaning, form }) => [
    `\`${name}\``,
    cell(meaning),
    cell(form ?? "a folder"),
  ]);
  return table(["Variable", "Meaning", "Accepted"], rows);
}
