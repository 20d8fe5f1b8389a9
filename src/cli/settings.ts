import { RESULT, SESSION } from "../protocol/base/limits.ts";
import { PROVIDER_NAMES, type ProviderName } from "../tunnel/registry/registry.ts";
import { DEFAULT_LIMITS } from "../oversight/bounds/budgets.ts";
import { TOOLSET_NAMES } from "../view/setup/toolsets.ts";
import { TARGET_LIST, TOOLSET_LIST } from "./expose-kinds.ts";
import { BUDGET_LIST, GATE_LIST } from "./oversight-kinds.ts";
import {
  ABSOLUTE_FILE,
  COMMAND,
  FILE,
  FILES,
  FOLDER,
  FOLDERS,
  IP_ADDRESS,
  type Kind,
  MEMBER_NAME,
  ON_OFF,
  OPEN_OFF,
  oneOf,
  optionalNumber,
  ORIGIN,
  PATTERN,
  PROGRAM,
  RELAY_ADDRESS,
  TOKEN,
  wholeNumber,
  YES_NO,
} from "./setting-kinds.ts";

/**
 * Every setting, written once. `Config`, `--help`, docs/SETTINGS.md, server.json, the manifests of plugins and of the bundle,
 * and what is said of a bad value are made from this table.
 */
export interface Setting<T> {
  readonly variable: `TUNNEL_${string}`;
  readonly group: Group;
  /** Half a sentence, without the choices and without the default: both are added wherever it is shown. */
  readonly help: string;
  readonly kind: Kind<T>;
  readonly default: NoInfer<T>;
  /** Words for what happens without a value, where no text means the default. */
  readonly unset?: string;
  /**
   * Whether something could be weaker than asked for if a bad value were ignored: addresses, limits, what runs, what is
   * shared. Such a value stops the start. Any other is reported, and the default holds.
   */
  readonly weakens: boolean;
  /** A value may hold a password or a token, so clients should not show it. */
  readonly isSecret?: true;
  /** A client that asks its user in a form asks for this one; who needs the others has a client that passes variables on. */
  readonly isAsked?: true;
}

/** The headings under which settings are shown. Those of `commands` are not read by the server. */
export const GROUPS = {
  address: "The way to this side",
  talk: "The conversation",
  files: "Files",
  oversight: "What a human decides",
  commands: "Commands",
} as const;

export type Group = keyof typeof GROUPS;

/** A day. */
const MAX_MINUTES = 1_440;

/** A member that was not heard of for half an hour is given up (G2). */
const MAX_KEPT_MINUTES = 25;

/** The settings of the server, by their name in `Config`. */
export const SETTINGS = {
  transport: setting({
    variable: "TUNNEL_TRANSPORT",
    group: "address",
    help: "how a tunnel is opened",
    kind: oneOf<ProviderName>(PROVIDER_NAMES),
    default: "cloudflared",
    weakens: true,
    isAsked: true,
  }),
  cloudflaredPath: setting({
    variable: "TUNNEL_CLOUDFLARED",
    group: "address",
    help: "path of your own cloudflared",
    kind: PROGRAM,
    default: undefined,
    unset: "a verified copy",
    weakens: true,
    isAsked: true,
  }),
  command: setting({
    variable: "TUNNEL_COMMAND",
    group: "address",
    help: "program that opens the tunnel, with exec; {port} is replaced",
    kind: COMMAND,
    default: undefined,
    weakens: true,
    // Programs of this kind take tokens as arguments.
    isSecret: true,
  }),
  commandUrl: setting({
    variable: "TUNNEL_COMMAND_URL",
    group: "address",
    help: "finds the address in what that program prints",
    kind: PATTERN,
    default: undefined,
    unset: "the first https URL",
    weakens: true,
  }),
  relay: setting({
    variable: "TUNNEL_RELAY",
    group: "address",
    help: "address of your relay, with relay",
    kind: RELAY_ADDRESS,
    default: undefined,
    weakens: true,
    isAsked: true,
  }),
  relayToken: setting({
    variable: "TUNNEL_RELAY_TOKEN",
    group: "address",
    help: "token for that relay",
    kind: TOKEN,
    default: undefined,
    weakens: false,
    isSecret: true,
  }),
  relayTokenFile: setting({
    variable: "TUNNEL_RELAY_TOKEN_FILE",
    group: "address",
    help: "file that holds the token, read for every registration",
    kind: ABSOLUTE_FILE,
    default: undefined,
    weakens: false,
  }),
  relayCa: setting({
    variable: "TUNNEL_RELAY_CA",
    group: "address",
    help: "certificate of the relay's own authority, trusted besides the usual ones",
    kind: ABSOLUTE_FILE,
    default: undefined,
    weakens: false,
  }),
  bind: setting({
    variable: "TUNNEL_BIND",
    group: "address",
    help: "address to listen on",
    kind: IP_ADDRESS,
    default: "127.0.0.1",
    weakens: true,
    isAsked: true,
  }),
  port: setting({
    variable: "TUNNEL_PORT",
    group: "address",
    help: "port to listen on; 0 takes any free one",
    kind: wholeNumber(0, 65_535),
    default: 0,
    weakens: true,
    isAsked: true,
  }),
  publicUrl: setting({
    variable: "TUNNEL_PUBLIC_URL",
    group: "address",
    help: "address in front of that port; only with direct",
    kind: ORIGIN,
    default: undefined,
    weakens: true,
    isAsked: true,
  }),
  doh: setting({
    variable: "TUNNEL_DOH",
    group: "address",
    help: "DNS-over-HTTPS to look names up",
    kind: ON_OFF,
    default: true,
    weakens: true,
  }),
  skipReachabilityCheck: setting({
    variable: "TUNNEL_SKIP_REACHABILITY_CHECK",
    group: "address",
    help: "do not wait for the link's name",
    kind: YES_NO,
    default: false,
    weakens: false,
  }),
  standby: setting({
    variable: "TUNNEL_STANDBY",
    group: "address",
    help: "a spare tunnel while others are in",
    kind: ON_OFF,
    default: true,
    weakens: false,
  }),
  name: setting({
    variable: "TUNNEL_NAME",
    group: "talk",
    help: "how the other side sees you",
    kind: MEMBER_NAME,
    default: undefined,
    weakens: false,
    isAsked: true,
  }),
  context: setting({
    variable: "TUNNEL_CONTEXT",
    group: "talk",
    help: "tell repository, commit, client",
    kind: ON_OFF,
    default: true,
    weakens: true,
  }),
  idleMinutes: setting({
    variable: "TUNNEL_IDLE_MINUTES",
    group: "talk",
    help: "minutes after which an idle tunnel closes",
    kind: wholeNumber(1, MAX_MINUTES),
    default: 30,
    weakens: true,
    isAsked: true,
  }),
  inviteMinutes: setting({
    variable: "TUNNEL_INVITE_MINUTES",
    group: "talk",
    help: "minutes after which an unused link expires",
    kind: wholeNumber(1, MAX_MINUTES),
    default: 10,
    weakens: true,
    isAsked: true,
  }),
  keepMinutes: setting({
    variable: "TUNNEL_KEEP_MINUTES",
    group: "talk",
    help: "minutes for which a tunnel is kept after its process ended, in private files; 0 keeps nothing",
    kind: wholeNumber(0, MAX_KEPT_MINUTES),
    default: 10,
    weakens: true,
  }),
  resultLimit: setting({
    variable: "TUNNEL_RESULT_LIMIT",
    group: "talk",
    help: "characters of one tool result; a longer message comes in parts",
    kind: optionalNumber(RESULT.minChars, RESULT.maxChars),
    default: undefined,
    unset: "what the client is known to take",
    weakens: true,
  }),
  answerSeconds: setting({
    variable: "TUNNEL_ANSWER_SECONDS",
    group: "talk",
    help: "seconds after which a tool call answers that is not done",
    kind: wholeNumber(1, SESSION.listenMaxMs / 1_000),
    default: SESSION.answerMs / 1_000,
    weakens: false,
  }),
  channel: setting({
    variable: "TUNNEL_CHANNEL",
    group: "talk",
    help: "wake Claude Code through a channel",
    kind: ON_OFF,
    default: false,
    weakens: false,
  }),
  gates: setting({
    variable: "TUNNEL_GATES",
    group: "oversight",
    help: "more for which a human is asked first",
    kind: GATE_LIST,
    default: [],
    unset: "none",
    weakens: true,
  }),
  budgets: setting({
    variable: "TUNNEL_BUDGETS",
    group: "oversight",
    help: "how much agents may use before a human has to let them go on",
    kind: BUDGET_LIST,
    default: DEFAULT_LIMITS,
    weakens: true,
  }),
  page: setting({
    variable: "TUNNEL_PAGE",
    group: "oversight",
    help: "whether the page opens in your browser with the first tunnel",
    kind: OPEN_OFF,
    default: false,
    weakens: false,
  }),
  notify: setting({
    variable: "TUNNEL_NOTIFY",
    group: "oversight",
    help: "a program that is run when you are needed, with the kind (ask, budget, stopped) and the tunnel as its last arguments",
    kind: COMMAND,
    default: undefined,
    unset: "none",
    weakens: false,
  }),
  toolsets: setting({
    variable: "TUNNEL_TOOLSETS",
    group: "talk",
    help: "the sets of tools that agents get",
    kind: TOOLSET_LIST,
    default: TOOLSET_NAMES,
    weakens: true,
  }),
  exposeAllow: setting({
    variable: "TUNNEL_EXPOSE_ALLOW",
    group: "oversight",
    help: "targets that may be exposed although they are dangerous or on another machine",
    kind: TARGET_LIST,
    default: [],
    // Without a target fewer may be exposed.
    weakens: false,
  }),
  shareServices: setting({
    variable: "TUNNEL_SHARE_SERVICES",
    group: "oversight",
    help: "targets that may be offered to members of a tunnel although they are dangerous, such as a database, or on another machine",
    kind: TARGET_LIST,
    default: [],
    // Without a target fewer may be offered.
    weakens: false,
  }),
  mcpServers: setting({
    variable: "TUNNEL_MCP_SERVERS",
    group: "oversight",
    help: 'a file of yours (chmod 600) that names MCP servers which agents may offer, in the form of clients: {"mcpServers": {NAME: {"command": …, "args": […]}}}',
    kind: FILE,
    default: undefined,
    unset: "none",
    weakens: false,
  }),
  sharedMachine: setting({
    variable: "TUNNEL_SHARED_MACHINE",
    group: "oversight",
    help: "open TCP listeners for services of members although other users are logged in here, who could use them",
    kind: YES_NO,
    default: false,
    weakens: false,
  }),
  unattended: setting({
    variable: "TUNNEL_UNATTENDED",
    group: "oversight",
    help: "nobody is there to ask: receive files, expose services, and let through what cannot be searched for secrets",
    kind: YES_NO,
    default: false,
    weakens: false,
  }),
  saveRoots: setting({
    variable: "TUNNEL_SAVE_ROOTS",
    group: "files",
    help: "more folders in which received files may be saved",
    kind: FOLDERS,
    default: [],
    // Without a folder fewer places may be written to.
    weakens: false,
  }),
  shareRoots: setting({
    variable: "TUNNEL_SHARE_ROOTS",
    group: "files",
    help: "more folders from which files are shared without asking you",
    kind: FOLDERS,
    default: [],
    weakens: true,
  }),
  shareAllow: setting({
    variable: "TUNNEL_SHARE_ALLOW",
    group: "files",
    help: "files to share without asking you, although their names say that they hold secrets",
    kind: FILES,
    default: [],
    weakens: true,
  }),
};

/** The folder that `install-skill` copies to when no `--dir` is given. */
export const SKILLS_DIR = setting({
  variable: "TUNNEL_SKILLS_DIR",
  group: "commands",
  help: "skills folder of install-skill",
  kind: FOLDER,
  default: undefined,
  unset: "~/.claude/skills",
  weakens: false,
});

/** All settings as a list, for whatever shows them. */
export type SettingList = readonly Setting<unknown>[];

export function allSettings(settings: typeof SETTINGS = SETTINGS): SettingList {
  return [...Object.values(settings), SKILLS_DIR];
}

type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** Everything that the server can be told by a setting, already parsed. */
export type Config = { readonly [Name in keyof typeof SETTINGS]: ValueOf<(typeof SETTINGS)[Name]> };

/** The configuration when nothing is set. */
export function defaultConfig(settings: typeof SETTINGS = SETTINGS): Config {
  const defaults = Object.entries(settings).map(([name, setting]) => [name, setting.default]);
  return Object.fromEntries(defaults) as Config;
}

/** The text that means the default; undefined where only an unset variable does. */
export function defaultText({ kind, default: value }: Setting<unknown>): string | undefined {
  return kind.write(value);
}

function setting<T>(one: Setting<T>): Setting<T> {
  return one;
}
