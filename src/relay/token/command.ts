import { hostForUrl } from "../../net/address.ts";
import type { Clock } from "../../runtime/clock.ts";
import { newToken, type TokenEntry } from "../auth/tokens.ts";
import type { RelayConfig } from "../config/options.ts";
import { readConfig } from "../config/read.ts";
import { changeTokenFile, readTokenFile, TokenFileProblem } from "./file.ts";
import { readTokenArgs, type TokenRequest } from "./flags.ts";
import { TOKEN_USAGE } from "./usage.ts";

export interface TokenCommandHost {
  /** Behind `relay token`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

type Create = Extract<TokenRequest, { kind: "create" }>;

/** Makes, lists and revokes tokens. 0: done. 1: tried and failed. 2: arguments or options that cannot be used. */
export async function runToken(host: TokenCommandHost): Promise<0 | 1 | 2> {
  const { args, env, clock, err, out } = host;
  const say = (text: string): void => err(`tunnel-mcp relay token: ${text}\n`);
  const request = readTokenArgs(args, clock.now());
  if (typeof request === "string") {
    say(`${request}\n  tunnel-mcp relay token --help`);
    return 2;
  }
  if (request.kind === "help") {
    out(TOKEN_USAGE);
    return 0;
  }
  const read = readConfig({ args: request.relayArgs, env });
  if ("problems" in read) {
    for (const problem of read.problems) say(problem);
    return 2;
  }
  const file = read.config["token-file"];
  if (file === undefined) {
    say("name the relay's file of tokens: --token-file FILE or RELAY_TOKEN_FILE; create makes it");
    return 2;
  }
  try {
    switch (request.kind) {
      case "create":
        return await create(request, file, read.config, host, say);
      case "list":
        return await list(request.isJson, file, host, say);
      case "revoke":
        return await revoke(request, file, host, say);
    }
  } catch (error) {
    if (!(error instanceof TokenFileProblem)) throw error;
    say(`${file} ${error.message}`);
    return 1;
  }
}

type Say = (text: string) => void;

async function create(
  { about, url, isJson }: Create,
  file: string,
  config: RelayConfig,
  { clock, out, err }: TokenCommandHost,
  say: Say,
): Promise<0 | 1> {
  const { expiresAt, ...rest } = about;
  const made = newToken(expiresAt === undefined ? rest : { ...rest, expiresAt }, clock.now());
  const isKept = await changeTokenFile(file, clock, (tokens) => {
    const isTaken = tokens.some(({ label, id }) => label === about.label || id === made.entry.id);
    return { tokens: isTaken ? tokens : [...tokens, made.entry], result: !isTaken };
  });
  if (!isKept) {
    say(`${file} has a token named ${JSON.stringify(about.label)}: revoke it first, or choose another name`);
    return 1;
  }
  const known = url?.origin ?? addressOf(config);
  const address = known ?? PLACEHOLDER;
  const { token, entry } = made;
  if (isJson) {
    const env = { TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: address, TUNNEL_RELAY_TOKEN: token };
    out(`${JSON.stringify({ ...shown(entry), token, env })}\n`);
    return 0;
  }
  out(`TUNNEL_TRANSPORT=relay TUNNEL_RELAY=${address}\nTUNNEL_RELAY_TOKEN=${token}\n`);
  err(
    `Token ${entry.id} (${entry.label}) is in ${file}, as a hash alone: the lines above are shown once.\n` +
      (known === undefined ? `Put the address of the relay in the place of ${PLACEHOLDER}.\n` : "") +
      RELOAD,
  );
  return 0;
}

const PLACEHOLDER = "https://YOUR-RELAY";
const RELOAD =
  process.platform === "win32"
    ? "Start the relay again, so that it takes this up.\n"
    : "A running relay takes this up on SIGHUP, and says so in its log.\n";

/** The address at which hosts reach this relay, as far as its own options tell. */
function addressOf(config: RelayConfig): string | undefined {
  const { listen, domain } = config;
  if (domain !== undefined && domain !== "localhost") return `https://${domain}`;
  const isLoopback = /^(?:127\.|::1$)/.test(listen.host);
  const scheme = config["tls-cert"] === undefined ? "http" : "https";
  return isLoopback ? `${scheme}://${hostForUrl(listen.host)}:${listen.port}` : undefined;
}

const shown = ({ id, label, kinds, names, limits, createdAt, expiresAt }: TokenEntry): object => ({
  id,
  name: label,
  kinds,
  names,
  limits,
  createdAt,
  expiresAt,
});

async function list(
  isJson: boolean,
  file: string,
  { clock, out }: TokenCommandHost,
  say: Say,
): Promise<0 | 1> {
  const tokens = await readTokenFile(file);
  if (tokens === undefined) {
    say(`${file} is not there yet: tunnel-mcp relay token create NAME makes it`);
    return 1;
  }
  if (isJson) {
    out(`${JSON.stringify(tokens.map(shown))}\n`);
    return 0;
  }
  const rows = tokens.map(({ id, label, kinds, names, expiresAt, limits }) => {
    const isOver = expiresAt !== undefined && Date.parse(expiresAt) <= clock.now();
    const until = expiresAt === undefined ? "never" : `${expiresAt.slice(0, 16)}Z${isOver ? " (over)" : ""}`;
    const bounds = Object.entries(limits).map(([name, value]) => `${name}=${value}`);
    return [id, label, kinds.join(","), names.join(","), until, bounds.join(" ")];
  });
  out(table([["ID", "NAME", "KINDS", "NAMES", "EXPIRES", "LIMITS"], ...rows]));
  return 0;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_cell, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}

async function revoke(
  { which, isJson }: Extract<TokenRequest, { kind: "revoke" }>,
  file: string,
  { clock, out }: TokenCommandHost,
  say: Say,
): Promise<0 | 1> {
  const there = await readTokenFile(file);
  const gone =
    there === undefined
      ? undefined
      : await changeTokenFile(file, clock, (tokens) => {
          const meant = tokens.find(({ id }) => id === which) ?? tokens.find(({ label }) => label === which);
          return { tokens: tokens.filter((token) => token !== meant), result: meant };
        });
  if (gone === undefined) {
    say(`${file} has no token with this id or name; tunnel-mcp relay token list shows them`);
    return 1;
  }
  if (isJson) out(`${JSON.stringify(shown(gone))}\n`);
  else out(`Token ${gone.id} (${gone.label}) is revoked.\n${RELOAD}`);
  return 0;
}
