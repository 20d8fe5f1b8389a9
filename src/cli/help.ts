import { registration } from "../view/setup/registration.ts";
import { DEMO_TRANSPORT } from "./args.ts";
import { alternatives } from "./setting-kinds.ts";
import { allSettings, defaultText, type Group, GROUPS, type Setting, type SettingList } from "./settings.ts";

const COLUMNS = 90;
/** Where the meanings of options and of settings begin: beside the longest name of each. */
const OPTION_COLUMN = 24;
const SETTING_COLUMN = 34;

/** Shown on stderr when a person starts the server by hand and would otherwise face a silent process. */
export function terminalHint(bundle: string): string {
  return `tunnel-mcp waits for an MCP client on stdin. To register it: ${registration(bundle, process.platform)}  (--help for more, Ctrl-C to end)`;
}

/** The text of `--help`; `bundle` is the path of the running program. */
export function helpText(version: string, bundle: string, settings: SettingList = allSettings()): string {
  return `tunnel-mcp ${version} - two developers' coding agents talk directly, end-to-end encrypted

${commandsHelp(settings)}

Register it with Claude Code alone, by hand:

  ${registration(bundle, process.platform)}

Variables of the environment, all optional.

${settingsHelp(settings)}
`;
}

/** The commands and their options. Where a setting stands behind an option, its choices and its default are shown. */
export function commandsHelp(settings: SettingList = allSettings()): string {
  const option = (variable: Setting<unknown>["variable"], others?: { default: unknown }): string =>
    settings
      .filter((setting) => setting.variable === variable)
      .map((setting) => valuesOf({ ...setting, ...others }))
      .join("");
  return `Usage: tunnel-mcp [command]

  (no command)          run the MCP server on stdin and stdout; a client starts this
  demo                  watch two agents pair and talk on this machine
    --transport NAME    ${beside(`${option("TUNNEL_TRANSPORT", { default: DEMO_TRANSPORT })}; direct needs no network`)}
    --page              a longer talk in your browser, in which you have your say
  open --goal TEXT      open a tunnel and chat in it from this terminal
    --name NAME         how the others see you
    --invites COUNT     how many people are invited (default: 1)
    --transport NAME    ${beside(option("TUNNEL_TRANSPORT"))}
    --history           those who join later are given what was said before
    --json              for programs: lines of JSON in and out (docs/CLI.md)
  join [LINK]           join a tunnel and chat in it from this terminal
    --name, --json      as for open
                        Without LINK it is asked for, unseen, or read from stdin's first
                        line: other users of a machine can see the arguments of commands.
  resume [ID]           go on in this terminal with a tunnel of this folder whose program
                        has ended; without ID, with the only one
    --json              as for open
  kept [ID]             tunnels whose program has ended, in all folders: how to go on, and
                        until when
    --forget            leave nothing of them, or of this one
    --json              a line of JSON for each
  expose TARGET...      give a local service a public address, and see who comes;
                        TARGET: a port (3000), https://localhost:3000 or a folder (./dist)
    --mcp NAME|URL      instead of a TARGET: an MCP server, by its name in your file of
                        servers or by its URL, for clients on the internet
    --tool NAME         with --mcp: this tool alone, as in 'search_*'; repeatable
    --per-session       with --mcp NAME: a process of its own for each session
    --origin URL        with --mcp: web pages of this origin may call it; repeatable
    --name NAME         how you call it (default: port-3000, or the folder's name)
    --access WAYS       ways in, with commas: claim (a link for one person each), token
                        (a header for scripts), prefix (a secret path, only to read),
                        basic (user and password); or open alone, to let anybody in
                        (default: claim,token; of an MCP server: bearer)
    --open-path 'METHOD /PATH'
                        open to anybody, for webhooks, as in 'POST /hooks/*'; repeatable
    --claims COUNT      how many claim links (default: 1)
    --for TIME          2h, 90m or 1h30m, up to 24h (default: 1h)
    --subdomain NAME    the name you want at your relay (--transport relay)
    --tcp               connections of any kind and not only HTTP; with --transport relay
                        and --access open, since nobody can be asked for a credential
    --host-header HOST  the Host that the service sees, instead of its own
    --no-inspect        keep no headers and bodies of requests to look at
    --transport NAME    ${beside(option("TUNNEL_TRANSPORT"))}
    --json              a line of JSON for each event
    --dry-run           only say what would be done, with the command for it
  expose list           what you expose now, in any terminal or session
    --history, --json   also what has ended; a line of JSON for each
  expose stop NAME|ID   end it, wherever it was started
    --all, --json       end everything; a line of JSON for each
  watch                 see what your agents and their peers do, and decide what waits;
                        for you at a terminal of your own, not for your agent
    --json              a line of JSON for each event; takes no decisions
  page                  the same in your browser, with everything in one view
  observe [LINK]        read along in a tunnel with an observer's link, on your own page
    --name NAME         how the others see you; up to 16 characters
    --json              lines of JSON instead (docs/CLI.md); without LINK, as for join
  relay                 run a relay of your own; tunnel-mcp relay --help
  relay status          see what a running one does
    --admin URL, --json its admin listener; a line of JSON
  doctor                check what a tunnel needs here, with a fix for each failure
  setup                 register with the MCP clients on this machine, and copy the skill
    --client NAME       only this one, found or not; several times, or with commas
    --project           for this folder alone, in the clients' files for a project
    --yes               do it without asking
    --print             show what to write by hand, and change nothing
    --remove            take it out again
    --force             replace what another program has under the name tunnel
  install-skill         teach your agent how to behave in a tunnel
    --dir PATH          skills folder (default: ${option("TUNNEL_SKILLS_DIR")})
    --force             replace a skill that differs
  uninstall-skill       take the skill out again; what you have changed stays
    --dir PATH, --force as for install-skill; --force deletes changed files, too
  verify FILE           check a saved transcript: what it proves, and what not
  export [FILE]         show a saved transcript; without FILE, that of a running tunnel
    --tunnel ID         which tunnel (default: that of this session or folder)
    --out FILE          write a new file instead
    --json, --markdown  as which of both (default: Markdown)
  wake                  wait until something unread is there; reads nothing
    --tunnel ID         which (default: of this session or folder, else all there are)
    --timeout SECONDS   give up after this
    --watch             go on, with a line whenever something has come
  anthropic-tunnel init [DIR]
                        make the folder of an Anthropic MCP tunnel, or bring it up to date
    --domain NAME       as the Console shows it; or fill it in, in the file .env
    --route NAME=URL    where NAME.DOMAIN leads; repeatable, and these are all of them
    --allow-ip ADDRESS  upstreams may be there, in place of private addresses; repeatable
    --upstream-ca FILE  certificates for https upstreams; or: system
    --proxy-image, --cloudflared-image IMAGE
                        sha256:DIGEST or NAME@sha256:DIGEST
    --force             replace files that you changed; yours are kept as NAME.old
  anthropic-tunnel check [DIR]
    --offline           look at machine, folder and certificates, without the network
  anthropic-tunnel doctor [DIR]
    --log FILE          the containers' log, for causes and fixes (default: stdin)
  anthropic-tunnel renew [DIR]
    --force             the certificate, also before its last 30 days
    --switch-ca         go over to the new CA that you have registered
  --help, -h            show this text
  --version, -v         show the version`;
}

function settingsHelp(settings: SettingList): string {
  const groups = Object.keys(GROUPS) as Group[];
  return groups
    .map((group) => {
      const lines = settings.filter((setting) => setting.group === group).flatMap(settingLines);
      return [`${GROUPS[group]}:`, ...lines].join("\n");
    })
    .join("\n\n");
}

function settingLines(setting: Setting<unknown>): string[] {
  return wrapped(meaningOf(setting), SETTING_COLUMN).map(
    (line, at) => (at === 0 ? `  ${setting.variable}` : "").padEnd(SETTING_COLUMN) + line,
  );
}

/** A meaning beside its option, on as many lines as it needs. */
function beside(meaning: string): string {
  return wrapped(meaning, OPTION_COLUMN).join(`\n${" ".repeat(OPTION_COLUMN)}`);
}

/** The lines of a text that begins at a column. */
function wrapped(text: string, column: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (column + longer.length > COLUMNS) lines.push(word);
    else lines.splice(-1, 1, longer);
  }
  return lines;
}

/** The meaning of a setting, and its values. */
function meaningOf(setting: Setting<unknown>): string {
  const values = valuesOf(setting);
  if (setting.kind.choices !== undefined) return `${setting.help}: ${values}`;
  if (values === "") return setting.help;
  return `${setting.help} (${defaultText(setting) === undefined ? "unset" : "default"}: ${values})`;
}

/** The choices, each value once and the default marked; without choices what holds when nothing is set. */
function valuesOf(setting: Setting<unknown>): string {
  const { kind, unset = "" } = setting;
  const usual = defaultText(setting);
  if (kind.choices === undefined) return usual ?? unset;
  const values = kind.choices.filter((text) => kind.write(kind.parse(text)) === text);
  return alternatives(values.map((text) => (text === usual ? `${text} (default)` : text)));
}
