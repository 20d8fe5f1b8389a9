import { hostForUrl } from "../../net/address.ts";
import { findMadeToken, tokenPlaces } from "../../relay/admin/admin-token.ts";
import {
  status as statusShape,
  tunnels as tunnelsShape,
  type Status,
  type TunnelView,
} from "../../relay/admin/schemas.ts";
import { readFiles } from "../../relay/config/files.ts";
import type { RelayConfig } from "../../relay/config/options.ts";
import { readConfig } from "../../relay/config/read.ts";
import { sizeText } from "../../view/files.ts";
import { safeJson, safeLabel } from "../chat/terminal/safe-text.ts";
import { durationText } from "../../view/time.ts";
import { table } from "../expose/table.ts";
import { wrapWords } from "../io/wrap.ts";
import { adminUrl, askAdmin, type AdminAddress, type Asked } from "./ask-admin.ts";

export interface StatusOptions {
  /** Those behind `relay status`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Width of the terminal, or undefined where lines do not wrap. */
  readonly columns: number | undefined;
}

const SHOWN = 50;
const MOST = 500;

/** Shows what a running relay does. 0: shown. 1: it cannot be asked. 2: options that cannot be used. */
export async function relayStatus(options: StatusOptions): Promise<0 | 1 | 2> {
  const { out, err, columns } = options;
  const asked = await addressFor(options);
  if ("problems" in asked) {
    for (const problem of asked.problems) err(`tunnel-mcp relay status: ${problem}\n`);
    return 2;
  }
  const { address, isJson } = asked;
  const path = `/api/tunnels?limit=${isJson ? MOST : SHOWN}`;
  const [status, list] = [
    await askAdmin(address, "/api/status", statusShape),
    await askAdmin(address, path, tunnelsShape),
  ];
  // The holder of a token of the relay sees the tunnels that were opened with it.
  const isTenant = status.kind === "refused" && status.code === "not-allowed";
  if ((status.kind !== "answered" && !isTenant) || list.kind !== "answered") {
    err(wrapWords(`tunnel-mcp relay status: ${problemOf(list, address)}\n`, columns));
    return 1;
  }
  const node = status.kind === "answered" ? status.value : undefined;
  const { tunnels, total } = list.value;
  if (isJson) out(`${safeJson({ status: node ?? null, total, tunnels })}\n`);
  else out(`${textOf(node, tunnels, total, options, address)}\n`);
  return 0;
}

async function addressFor({
  args,
  env,
}: StatusOptions): Promise<
  { readonly address: AdminAddress; readonly isJson: boolean } | { readonly problems: readonly string[] }
> {
  const { admin, isJson, rest } = ownOptions(args);
  const url = admin === undefined ? undefined : adminUrl(admin);
  if (typeof url === "string") return { problems: [url] };
  const read = readConfig({ args: rest, env });
  if ("problems" in read) return read;
  const { config, where } = read;
  // Only the operator's token is of interest here; other files need not be there, or be this user's to read.
  const secretsOnly: RelayConfig = {
    ...config,
    "token-file": undefined,
    "block-file": undefined,
    "tls-cert": undefined,
    "tls-key": undefined,
    "auth-secret": undefined,
    "auth-secret-file": undefined,
  };
  const files = readFiles(secretsOnly, where);
  if ("problems" in files) return files;
  const base = url ?? listenerOf(config);
  const token = files.adminToken ?? (await findMadeToken(portOf(base), tokenPlaces(config.state, env)));
  return { address: { base, token }, isJson };
}

function ownOptions(args: readonly string[]): {
  readonly admin: string | undefined;
  readonly isJson: boolean;
  readonly rest: readonly string[];
} {
  const rest: string[] = [];
  let [admin, isJson]: [string | undefined, boolean] = [undefined, false];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? "";
    if (arg === "--json") isJson = true;
    else if (arg.startsWith("--admin=")) admin = arg.slice("--admin=".length);
    else if (arg === "--admin") {
      index += 1;
      admin = args[index] ?? "";
    } else rest.push(arg);
  }
  return { admin, isJson, rest };
}

/** One that listens at all addresses answers on loopback, too. */
function listenerOf({ "admin-listen": { host, port } }: RelayConfig): URL {
  const near = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return new URL(`http://${hostForUrl(near)}:${port}`);
}

const portOf = ({ port, protocol }: URL): number => Number(port) || (protocol === "https:" ? 443 : 80);

function problemOf(asked: Asked<unknown>, { base, token }: AdminAddress): string {
  if (asked.kind === "unreachable")
    return `no relay answers at ${base.origin} (${asked.why}): check that it runs, and its admin-listen; --admin names another address`;
  if (asked.kind === "answered") return `what answers at ${base.origin} is no relay of this version`;
  if (asked.code === undefined)
    return `what answers at ${base.origin} is no relay of this version (status ${asked.status})`;
  const isUnknown = asked.status === 401 && token === undefined;
  if (isUnknown)
    return "the operator's token is not known here: set RELAY_ADMIN_TOKEN, --admin-token-file or --state as for the relay, or run this as the relay's user";
  return `the relay at ${base.origin} says: ${safeLabel(asked.message ?? asked.code)}`;
}

function textOf(
  status: Status | undefined,
  tunnels: readonly TunnelView[],
  total: number,
  { now, columns }: StatusOptions,
  { base }: AdminAddress,
): string {
  const left = total - tunnels.length;
  return [
    ...(status === undefined ? [] : [nodeText(status, base)]),
    tunnels.length === 0 ? "No tunnel is open." : tunnelsText(tunnels, now(), columns),
    ...(left > 0 ? [`... and ${left} more.`] : []),
  ].join("\n\n");
}

const REASONS: Readonly<Record<NonNullable<Status["reason"]>, string>> = {
  draining: "it is ending",
  "claims-away": "the register of names cannot be asked",
};

const AUTH: Readonly<Record<Status["auth"], string>> = {
  open: "rooms are open to all",
  tokens: "hosts need a token",
  provider: "a service decides on tokens",
};

function nodeText(status: Status, base: URL): string {
  const { ready, reason, tunnels, visitors, held, connections, domain, keepsNames } = status;
  const state = ready ? "ready" : `not ready, ${reason === null ? "for no known reason" : REASONS[reason]}`;
  const names = keepsNames ? "kept over a restart" : "forgotten at a restart";
  return [
    `Relay ${safeLabel(status.version)} at ${base.origin}: ${state}, up for ${durationText(status.uptimeSec)}`,
    `  tunnels      ${tunnels.total} (${tunnels.room} rooms, ${tunnels.http} HTTP, ${tunnels.tcp} TCP)`,
    `  visitors     ${visitors} now, ${held} waiting for their host`,
    `  connections  ${connections}`,
    `  hosts        ${AUTH[status.auth]}`,
    `  services     ${domain === null ? "none: no domain" : `at NAME.${safeLabel(domain)}, names ${names}`}`,
  ].join("\n");
}

function tunnelsText(tunnels: readonly TunnelView[], now: number, columns: number | undefined): string {
  const titles = ["KIND", "ADDRESS", "OPEN FOR", "VISITORS", "VISITS", "IN", "OUT", "TOKEN", "ID"];
  const rows = tunnels.map((one) =>
    [
      one.kind,
      one.url,
      durationText(Math.max(0, (now - Date.parse(one.since)) / 1_000)),
      String(one.visitors),
      String(one.visits),
      sizeText(one.bytesIn),
      sizeText(one.bytesOut),
      one.tokenLabel ?? one.tokenId ?? "",
      one.id,
    ].map(safeLabel),
  );
  return table(titles, rows, columns);
}
