/** The tables in docs/SETTINGS.md, one for each group of settings. */
import { cell, table } from "./markdown.mjs";

const HEAD = ["Variable", "Meaning", "Accepted", "Without it", "What a bad value does"];

/** @throws {Error} when a setting has no help or no accepted form */
export function settingsTables({ GROUPS, defaultText }, settings) {
  const tables = Object.entries(GROUPS).map(([group, title]) => {
    const rows = settings.filter((setting) => setting.group === group).map((one) => row(one, defaultText));
    return `## ${title}\n\n${table(HEAD, rows)}`;
  });
  return [badValues(settings), ...tables].join("\n\n");
}

function badValues(settings) {
  const stopping = settings.filter(({ weakens }) => weakens).length;
  return (
    `A value that is not accepted does one of two things. In ${stopping} of the ${settings.length} variables it is \`stop\`: the server ` +
    "does not start, since something could be weaker than you asked for. It names all of them on stderr with their form, and repeats no " +
    "value. Otherwise it is `ignore`: what stands under “Without it” holds (of a list, the entries that can be used), and `problems` in " +
    "`tunnel_status`, or a warning of a command, names the variable and its form. A variable that begins with `TUNNEL_` and is not in " +
    "these tables is named there, too, with the setting that comes nearest.\n\n" +
    "A folder that is not there is no bad value: it allows nothing until it is there, and `problems` names it. A byte order mark, line " +
    "ends, blanks and one pair of quotes around a value do not belong to it (in `TUNNEL_COMMAND` and `TUNNEL_COMMAND_URL` blanks and quotes do)."
  );
}

function row(setting, defaultText) {
  const { variable, help, kind, unset } = setting;
  if (help === "" || kind.accepted === "") throw new Error(`${variable} is not explained`);
  const text = defaultText(setting);
  const fallback = text === undefined ? (unset ?? "") : `\`${text}\``;
  const bad = setting.weakens ? "`stop`" : "`ignore`";
  return [`\`${variable}\``, cell(help), cell(kind.accepted), cell(fallback), bad];
}
