/** The tables in docs/SETTINGS.md, one for each group of settings. */
import { cell, table } from "./markdown.mjs";

const HEAD = ["Variable", "Meaning", "Accepted", "Without it"];

/** @throws {Error} when a setting has no help or no accepted form */
export function settingsTables({ GROUPS, defaultText }, settings) {
  const tables = Object.entries(GROUPS).map(([group, title]) => {
    const rows = settings.filter((setting) => setting.group === group).map((one) => row(one, defaultText));
    return `## ${title}\n\n${table(HEAD, rows)}`;
  });
  return [badValues(settings), ...tables].join("\n\n");
}

function badValues(settings) {
  const harmless = settings.filter(({ weakens, group }) => !weakens && group !== "commands");
  const names = harmless.map(({ variable }) => `\`${variable}\``);
  return (
    `A value that is not accepted is ignored in ${names.slice(0, -1).join(", ")} and ${names.at(-1)}: then \`tunnel_status\` ` +
    "names the variable and what it must be. With such a value in any other variable the server does not start, since " +
    "something could be weaker than you asked for. It names all of them on stderr, and repeats no value."
  );
}

function row(setting, defaultText) {
  const { variable, help, kind, unset } = setting;
  if (help === "" || kind.accepted === "") throw new Error(`${variable} is not explained`);
  const text = defaultText(setting);
  const fallback = text === undefined ? (unset ?? "") : `\`${text}\``;
  return [`\`${variable}\``, cell(help), cell(kind.accepted), cell(fallback)];
}
