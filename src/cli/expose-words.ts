import { nearest } from "../errors/nearest.ts";
import { ACCESS_KINDS, type AccessKind } from "../expose/access/kinds.ts";
import { EXPOSE } from "../expose/exposures/limits.ts";
import { SETTINGS } from "./settings.ts";
import type { OptionTypes } from "./usage.ts";
import { text, texts, type Values } from "./values.ts";
import { DURATION_FORM, parseDuration } from "./expose/duration.ts";
import type { ExposeCommand } from "./expose/expose.ts";
import type { ExposeListCommand } from "./expose/list.ts";
import type { ExposeStopCommand } from "./expose/stop.ts";

export const EXPOSE_OPTIONS: OptionTypes = {
  mcp: "string",
  tool: "each",
  "per-session": "boolean",
  origin: "each",
  name: "string",
  access: "list",
  "open-path": "each",
  claims: "string",
  for: "string",
  tcp: "boolean",
  subdomain: "string",
  "host-header": "string",
  "no-inspect": "boolean",
  transport: "string",
  json: "boolean",
  "dry-run": "boolean",
};
export const EXPOSE_LIST_OPTIONS: OptionTypes = { history: "boolean", json: "boolean" };
export const EXPOSE_STOP_OPTIONS: OptionTypes = { all: "boolean", json: "boolean" };

/** Each returns the command, or a sentence on what is wrong. */

export function readExpose(values: Values, targets: readonly string[]): ExposeCommand | string {
  const problem = problemOfTargets(values, targets);
  if (problem !== undefined) return problem;
  const name = text(values, "name");
  if (name !== undefined && targets.length > 1)
    return "--name is for one target: leave it out, and each gets a name of its own";
  const access = readAccess(text(values, "access"));
  if (typeof access === "string") return access;
  const claims = readClaims(text(values, "claims"), access);
  if (typeof claims === "string") return claims;
  const expiresInMinutes = readDuration(text(values, "for"));
  if (typeof expiresInMinutes === "string") return expiresInMinutes;
  const transport = readTransport(text(values, "transport"));
  if (typeof transport === "object") return transport.problem;
  const openPaths = texts(values, "open-path");
  return {
    kind: "expose",
    targets,
    wanted: {
      ...readMcp(values),
      name,
      access,
      openPaths: openPaths.length === 0 ? undefined : openPaths,
      claims,
      expiresInMinutes,
      protocol: values.has("tcp") ? "tcp" : undefined,
      subdomain: text(values, "subdomain"),
      hostHeader: text(values, "host-header"),
      inspect: values.has("no-inspect") ? false : undefined,
      transport,
    },
    isDryRun: values.has("dry-run"),
    json: values.has("json"),
  };
}

function problemOfTargets(values: Values, targets: readonly string[]): string | undefined {
  const word = targets.find((one) => one === "list" || one === "stop");
  if (word !== undefined)
    return `${word} comes first, as in tunnel-mcp expose ${word}; a folder of that name is ./${word}`;
  const isMcp = values.has("mcp");
  if (isMcp && targets.length > 0)
    return "--mcp names an MCP server, so no other target goes with it: one command for each";
  const ofMcp = ["tool", "per-session", "origin"].find((one) => values.has(one));
  if (ofMcp !== undefined && !isMcp) return `--${ofMcp} goes with --mcp`;
  return targets.length > 0 || isMcp
    ? undefined
    : "what is to be exposed? A port (3000), an address on this machine (https://localhost:3000), a folder (./dist), or an MCP server (--mcp NAME)";
}

function readMcp(values: Values): Pick<ExposeCommand["wanted"], "mcp" | "tools" | "perSession" | "origins"> {
  const [tools, origins] = [texts(values, "tool"), texts(values, "origin")];
  return {
    mcp: text(values, "mcp"),
    tools: tools.length === 0 ? undefined : tools,
    perSession: values.has("per-session") ? true : undefined,
    origins: origins.length === 0 ? undefined : origins,
  };
}

export function readExposeList(values: Values, others: readonly string[]): ExposeListCommand | string {
  if (others.length > 0) return aloneText("list");
  return { kind: "expose-list", history: values.has("history"), json: values.has("json") };
}

export function readExposeStop(
  values: Values,
  [which, ...others]: readonly string[],
): ExposeStopCommand | string {
  if (others.length > 0) return aloneText("stop");
  const [all, json] = [values.has("all"), values.has("json")];
  if (which === undefined && !all)
    return "which one? Give its NAME or ID (tunnel-mcp expose list), or --all; a folder of the name stop is exposed as ./stop";
  if (which !== undefined && all) return "--all ends every one: leave the name out, or --all";
  return { kind: "expose-stop", which, json };
}

function aloneText(word: "list" | "stop"): string {
  const [does, takes] =
    word === "list" ? ["shows exposures", "no other word"] : ["ends an exposure", "one name or id"];
  return `expose ${word} ${does}, and takes ${takes}; a folder of the name ${word} is exposed as ./${word}`;
}

function readAccess(typed: string | undefined): readonly AccessKind[] | undefined | string {
  if (typed === undefined) return undefined;
  const names = typed
    .split(",")
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== "");
  const unknown = names.filter((one) => !isAccessKind(one));
  const kinds = names.filter(isAccessKind);
  if (unknown.length > 0) {
    const guesses = unknown.map((one) => nearest(one, ACCESS_KINDS)).filter((one) => one !== undefined);
    const known = `known are ${ACCESS_KINDS.join(", ")}`;
    const meant = guesses.length === 0 ? known : `did you mean ${guesses.join(", ")}? K${known.slice(1)}`;
    return `unknown way in for --access: ${unknown.map(shortened).join(", ")}; ${meant}`;
  }
  if (kinds.length === 0) return `--access needs a value: ${ACCESS_KINDS.join(", ")}`;
  if (kinds.includes("open") && kinds.length > 1)
    return "--access open lets everybody in, so it does not go with another way in";
  return kinds;
}

function readClaims(
  typed: string | undefined,
  access: readonly AccessKind[] | undefined,
): number | undefined | string {
  if (typed === undefined) return undefined;
  const count = /^\d{1,3}$/.test(typed) ? Number(typed) : 0;
  if (count < 1 || count > EXPOSE.maxClaims) return `--claims must be a number from 1 to ${EXPOSE.maxClaims}`;
  if (access !== undefined && !access.includes("claim"))
    return "--claims makes claim links, and --access does not have claim among its ways in";
  return count;
}

function readDuration(typed: string | undefined): number | undefined | string {
  if (typed === undefined) return undefined;
  return parseDuration(typed) ?? `--for must be ${DURATION_FORM}`;
}

function readTransport(
  typed: string | undefined,
): ExposeCommand["wanted"]["transport"] | { readonly problem: string } {
  if (typed === undefined) return undefined;
  const { kind } = SETTINGS.transport;
  return kind.parse(typed) ?? { problem: `--transport must be ${kind.accepted}` };
}

function isAccessKind(name: string): name is AccessKind {
  return ACCESS_KINDS.some((kind) => kind === name);
}

/** What was typed may be a secret that stands in the wrong place. */
function shortened(word: string): string {
  return /^[a-z-]{1,16}$/.test(word) ? word : "(not shown)";
}
