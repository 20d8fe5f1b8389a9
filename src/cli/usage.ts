/** `list`: several times, or several values with commas between them. `each`: several times, each value as it is. */
export type OptionTypes = Readonly<Record<string, "string" | "boolean" | "list" | "each">>;

/** The names of values, as `--help` has them; any other option's value has the option's own name. */
const VALUES: Readonly<Record<string, string>> = {
  transport: "NAME",
  client: "NAME",
  goal: "TEXT",
  invites: "COUNT",
  dir: "PATH",
  tunnel: "ID",
  out: "FILE",
  timeout: "SECONDS",
  access: "WAYS",
  "open-path": "'METHOD /PATH'",
  claims: "COUNT",
  for: "TIME",
  subdomain: "NAME",
  "host-header": "HOST",
  route: "NAME=URL",
  "allow-ip": "ADDRESS",
  "upstream-ca": "FILE",
  "proxy-image": "IMAGE",
  "cloudflared-image": "IMAGE",
  log: "FILE",
};

/** The words after a command that are no options. */
const OPERANDS: Readonly<Record<string, string>> = {
  join: "[LINK]",
  observe: "[LINK]",
  resume: "[ID]",
  kept: "[ID]",
  verify: "FILE",
  export: "[FILE]",
  expose: "TARGET...",
  "expose stop": "[NAME|ID]",
  "anthropic-tunnel": "init|check|doctor|renew [DIR]",
  "anthropic-tunnel init": "[DIR]",
  "anthropic-tunnel check": "[DIR]",
  "anthropic-tunnel doctor": "[DIR]",
  "anthropic-tunnel renew": "[DIR]",
};

/** Options without which a command cannot run. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = { open: ["goal"] };

/** One line that tells how a command is called, such as `tunnel-mcp wake [--tunnel ID] [--watch]`. */
export function usageLine(command: string, types: OptionTypes): string {
  const options = Object.entries(types).map(([name, type]) => {
    const value = type === "boolean" ? "" : ` ${VALUES[name] ?? name.toUpperCase()}`;
    const isNeeded = REQUIRED[command]?.includes(name) === true;
    const option = isNeeded ? `--${name}${value}` : `[--${name}${value}]`;
    return type === "list" || type === "each" ? `${option}...` : option;
  });
  const operand = OPERANDS[command];
  return ["tunnel-mcp", command, ...(operand === undefined ? [] : [operand]), ...options].join(" ");
}
