import { hostForUrl } from "../../net/address.ts";
import { DOMAIN, HTTP_URL, LISTEN, PATH, PORTS, RANGES, TEXT, type OptionKind } from "./kinds.ts";
import { OPTION_NAMES, RELAY_OPTIONS, variableOf, type OptionName, type RelayOption } from "./options.ts";

const COLUMNS = 90;
/** Where meanings begin: beside the longest option. */
const COLUMN = 34;

/** The groups of options, each with the first name of it. */
const GROUPS: readonly (readonly [first: OptionName, title: string])[] = [
  ["listen", "Addresses and names"],
  ["token-file", "Who may register"],
  ["tcp-ports", "TCP, and what stands in front"],
  ["block-file", "Abuse, the end, and the log"],
  ["max-connections", "Limits"],
];

/** The text of `tunnel-mcp relay --help`, made of the table of options. */
export function relayHelp(version: string): string {
  return `tunnel-mcp relay ${version} - a relay of your own: rooms are blind, services have names

Usage:
  tunnel-mcp relay [options]                         run it
  tunnel-mcp relay status [--admin URL] [--json]     see what a running one does
  tunnel-mcp relay token create NAME                 make a token for hosts; also list, revoke

Without any option it runs on loopback, in memory, and takes rooms alone. Hosts on this machine
reach it with TUNNEL_TRANSPORT=relay and TUNNEL_RELAY=http://127.0.0.1:8080.

Each option is a flag, a variable (RELAY_ and its name, as in RELAY_TOKEN_FILE), or a key of the
file of --config (TOML; \${NAME} in a value is that variable): a flag before a variable, a variable
before the file. Secrets come from variables and files alone.

${optionsHelp()}

SIGHUP reads tokens, block list and certificates again. SIGTERM tells hosts to come back later, and
waits for what is under way; a second one ends at once. docs/RELAY.md has the rest.
`;
}

function optionsHelp(): string {
  const first = new Map<OptionName, string>(GROUPS);
  const lines = OPTION_NAMES.flatMap((name) => {
    const title = first.get(name);
    return [...(title === undefined ? [] : ["", `${title}:`]), ...optionLines(name)];
  });
  return [
    "Options:",
    ...beside("--config FILE", "options in TOML"),
    ...beside("--check", CHECK),
    ...lines,
  ].join("\n");
}

/** How the values of the kinds are called; all others are numbers. */
const VALUES: ReadonlyMap<OptionKind<unknown>, string> = new Map<OptionKind<unknown>, string>([
  [LISTEN, "HOST:PORT"],
  [TEXT, "TEXT"],
  [PATH, "PATH"],
  [DOMAIN, "DOMAIN"],
  [HTTP_URL, "URL"],
  [PORTS, "FIRST-LAST"],
  [RANGES, "ADDRESSES"],
]);

const CHECK = "only look at options and files: say what is wrong and where (code 2), or nothing is (code 0)";

function optionLines(name: OptionName): string[] {
  const option: RelayOption<unknown> = RELAY_OPTIONS[name];
  if (option.isSecret === true) return beside(variableOf(name), `${option.help} (a variable, no flag)`);
  const { isSwitch } = option.kind;
  const value = isSwitch === true ? "" : ` ${VALUES.get(option.kind) ?? "N"}`;
  const usual = defaultText(option.default);
  return beside(`--${name}${value}`, `${option.help}${usual === "" ? "" : ` (default: ${usual})`}`);
}

function defaultText(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null || !("host" in value) || !("port" in value)) return "";
  return `${hostForUrl(String(value.host))}:${String(value.port)}`;
}

/** A meaning beside its option, on as many lines as it needs. */
function beside(option: string, meaning: string): string[] {
  const lines = [""];
  for (const word of meaning.split(" ")) {
    const longer = `${lines.at(-1) ?? ""} ${word}`.trimStart();
    if (COLUMN + longer.length > COLUMNS) lines.push(word);
    else lines.splice(-1, 1, longer);
  }
  const head = `  ${option}`;
  const [first = "", ...rest] = lines;
  const fits = head.length + 2 <= COLUMN;
  return [
    ...(fits ? [head.padEnd(COLUMN) + first] : [head, " ".repeat(COLUMN) + first]),
    ...rest.map((line) => " ".repeat(COLUMN) + line),
  ];
}
