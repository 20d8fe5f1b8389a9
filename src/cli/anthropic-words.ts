import { imageOf } from "../anthropic/env-file.ts";
import { domainProblem, isPerhapsToken } from "../anthropic/names.ts";
import { parseRoute, rangeProblem, type Route } from "../anthropic/routes.ts";
import { nearest } from "../errors/nearest.ts";
import type { AnthropicAction, AnthropicCommand } from "./anthropic/command.ts";
import type { OptionTypes } from "./usage.ts";
import { text, texts, type Values } from "./values.ts";

export const ANTHROPIC_OPTIONS: Readonly<Record<AnthropicAction["action"], OptionTypes>> = {
  init: {
    domain: "string",
    route: "each",
    "allow-ip": "each",
    "upstream-ca": "string",
    "proxy-image": "string",
    "cloudflared-image": "string",
    force: "boolean",
  },
  check: { offline: "boolean" },
  doctor: { log: "string" },
  renew: { force: "boolean", "switch-ca": "boolean" },
};

const ACTIONS = Object.keys(ANTHROPIC_OPTIONS);

export function isAnthropicAction(word: string | undefined): word is AnthropicAction["action"] {
  return word !== undefined && ACTIONS.includes(word);
}

const TOKEN_TYPED =
  "this looks like the tunnel's token, and the arguments of a command can be seen by others: rotate it in the Console (Rotate token), and put the new one into the file .env with an editor";

/** A sentence for a first word that is none of the actions. Never the word itself where it may be the token. */
export function unknownAction(typed: string | undefined): string {
  if (typed === undefined) return `what is to be done? ${ACTIONS.join(", ")}`;
  if (isPerhapsToken(typed)) return TOKEN_TYPED;
  const meant = nearest(typed, ACTIONS);
  const guess = meant === undefined ? "" : `; did you mean ${meant}?`;
  return `one of ${ACTIONS.join(", ")} comes first, then the folder${guess}`;
}

/** @returns the command, or a sentence on what is wrong */
export function readAnthropic(
  action: AnthropicAction["action"],
  values: Values,
  [dir, ...others]: readonly string[],
): AnthropicCommand | string {
  if ([dir, ...others].some((one) => one !== undefined && isPerhapsToken(one))) return TOKEN_TYPED;
  if (others.length > 0) return "one folder at a time";
  const kind = "anthropic-tunnel";
  switch (action) {
    case "init":
      return readInit(values, dir);
    case "check":
      return { kind, action, dir, isOffline: values.has("offline") };
    case "doctor":
      return { kind, action, dir, log: text(values, "log") };
    case "renew":
      return { kind, action, dir, force: values.has("force"), switchCa: values.has("switch-ca") };
  }
}

function readInit(values: Values, dir: string | undefined): AnthropicCommand | string {
  const domain = text(values, "domain")?.toLowerCase();
  const problem = domain === undefined ? undefined : domainProblem(domain);
  if (problem !== undefined) return `--domain: ${problem}`;
  const routes: Route[] = [];
  for (const typed of texts(values, "route")) {
    const route = parseRoute(typed);
    if (typeof route === "string") return `--route: ${route}`;
    routes.push(route);
  }
  const allowedIps = texts(values, "allow-ip");
  const wrong = allowedIps.map(rangeProblem).find((one) => one !== undefined);
  if (wrong !== undefined) return `--allow-ip: ${wrong}`;
  const [proxy, cloudflared] = (["proxy", "cloudflared"] as const).map((program) => {
    const typed = text(values, `${program}-image`);
    return typed === undefined ? undefined : (imageOf(typed, program) ?? false);
  });
  if (proxy === false || cloudflared === false)
    return `--${proxy === false ? "proxy" : "cloudflared"}-image is sha256:DIGEST or NAME@sha256:DIGEST, with 64 hexadecimal digits`;
  return {
    kind: "anthropic-tunnel",
    action: "init",
    dir,
    domain,
    routes: values.has("route") ? routes : undefined,
    allowedIps: values.has("allow-ip") ? allowedIps : undefined,
    upstreamCa: text(values, "upstream-ca"),
    images: { proxy, cloudflared },
    force: values.has("force"),
  };
}
