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

/** The beginning of the token of a tunnel. */
const TOKEN = /eyJ[\w-]/;
const TOKEN_TYPED =
  "this looks like the tunnel's token, and others can see the arguments of commands: rotate it in the Console, and put the new one into the file .env with an editor";

/** A sentence for a first word that is none of the actions. Never the word itself: it may be the token. */
export function unknownAction(typed = ""): string {
  if (TOKEN.test(typed)) return TOKEN_TYPED;
  const meant = nearest(typed, ACTIONS);
  const guess = meant === undefined ? "" : `; did you mean ${meant}?`;
  return `one of ${ACTIONS.join(", ")} comes first, then the folder${guess}`;
}

/** @returns the command, whose values are checked where they are used, or a sentence on what is wrong */
export function readAnthropic(
  action: AnthropicAction["action"],
  values: Values,
  [dir, ...others]: readonly string[],
): AnthropicCommand | string {
  if ([dir, ...others].some((one) => one !== undefined && TOKEN.test(one))) return TOKEN_TYPED;
  if (others.length > 0) return "one folder at a time";
  const kind = "anthropic-tunnel";
  const force = values.has("force");
  switch (action) {
    case "init":
      return {
        kind,
        action,
        dir,
        force,
        domain: text(values, "domain"),
        routes: values.has("route") ? texts(values, "route") : undefined,
        allowedIps: values.has("allow-ip") ? texts(values, "allow-ip") : undefined,
        upstreamCa: text(values, "upstream-ca"),
        images: { proxy: text(values, "proxy-image"), cloudflared: text(values, "cloudflared-image") },
      };
    case "check":
      return { kind, action, dir, isOffline: values.has("offline") };
    case "doctor":
      return { kind, action, dir, log: text(values, "log") };
    case "renew":
      return { kind, action, dir, force, switchCa: values.has("switch-ca") };
  }
}
