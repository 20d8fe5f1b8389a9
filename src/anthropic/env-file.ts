import { isPerhapsToken } from "./names.ts";

/**
 * The `.env` beside docker-compose.yaml: what the person fills in, and the digests of the images. Docker Compose reads it; this
 * program reads all of it but never shows the token.
 */

export const TOKEN = "TUNNEL_TOKEN";
export const DOMAIN = "TUNNEL_DOMAIN";
export const IMAGES = {
  proxy: "MCP_PROXY_IMAGE",
  cloudflared: "CLOUDFLARED_IMAGE",
  sample: "SAMPLE_IMAGE",
} as const;

export const PLACEHOLDER = "FILL-IN";
/** Images without their digests: which of them runs is for the person to say. */
const NAMES = {
  proxy: "us-docker.pkg.dev/anthropic-public-registry/images/mcp-proxy",
  cloudflared: "cloudflare/cloudflared",
} as const;
const SAMPLE = "node:22-alpine";

export function newEnvFile(): string {
  return `# Docker Compose reads this file. Keep it to yourself: whoever has the token can pose as this tunnel.
# From the Console, Manage > MCP tunnels, the page of your tunnel, under Connection:
${DOMAIN}=${PLACEHOLDER}
${TOKEN}=${PLACEHOLDER}
# Programs, each with the digest that is to run: NAME@sha256:64 hexadecimal digits
${IMAGES.proxy}=${NAMES.proxy}@sha256:${PLACEHOLDER}
${IMAGES.cloudflared}=${NAMES.cloudflared}@sha256:${PLACEHOLDER}
${IMAGES.sample}=${SAMPLE}
`;
}

/** The value that Docker Compose takes; empty where there is none. */
export function valueIn(text: string, name: string): string {
  const values = text.split(/\r?\n/).flatMap((line) => {
    const [, key, value = ""] = /^\s*(?:export\s+)?(\w+)\s*=(.*)$/.exec(line) ?? [];
    return key === name ? [value.trim()] : [];
  });
  const last = values.at(-1) ?? "";
  return /^(["'])(.*)\1$/.exec(last)?.[2] ?? last.replace(/\s+#.*$/, "");
}

/** The text with another value; only the last line of that name changes, which is the one that counts. */
export function withValue(text: string, name: string, value: string): string {
  const lines = text.split("\n");
  const at = lines.findLastIndex((line) => new RegExp(String.raw`^\s*(?:export\s+)?${name}\s*=`).test(line));
  if (at === -1) return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${name}=${value}\n`;
  return lines.with(at, `${name}=${value}${lines[at]?.endsWith("\r") === true ? "\r" : ""}`).join("\n");
}

export function isPlaceholder(value: string): boolean {
  return value === "" || value.includes(PLACEHOLDER);
}

/** The state of the token, told without showing any of it. */
export type TokenState = "absent" | "placeholder" | "malformed" | "present";

export function tokenState(text: string): TokenState {
  const value = valueIn(text, TOKEN);
  if (value === "") return "absent";
  if (isPlaceholder(value)) return "placeholder";
  return /^eyJ[\w+/=.-]{20,}$/.test(value) ? "present" : "malformed";
}

const PINNED = /^[\w.-]+(?:[.:/@][\w.-]+)*@sha256:[0-9a-f]{64}$/;

/** An image that always is the same program: with the digest of its content. */
export function isPinned(image: string): boolean {
  return PINNED.test(image) && !isPerhapsToken(image);
}

/** `sha256:…` alone, or a whole name with it, as it is typed. @returns undefined where it is neither */
export function imageOf(typed: string, program: keyof typeof NAMES): string | undefined {
  const image = typed.startsWith("sha256:") ? `${NAMES[program]}@${typed}` : typed;
  return isPinned(image) ? image : undefined;
}
