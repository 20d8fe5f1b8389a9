import * as z from "zod/mini";
import type { ErrorCode } from "../../errors/tunnel-error.ts";

/** The meaning of a line of cloudflared's log. Its text goes no further than this file: it may quote a remote server. */
export type LogEvent =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "metrics"; readonly port: number }
  | { readonly kind: "registered" }
  | { readonly kind: "lost" }
  | { readonly kind: "dial-failed" }
  | { readonly kind: "fault"; readonly code: ErrorCode }
  | { readonly kind: "other" };

/** A line in any of the three forms: JSON, `<time> <LEVEL> <message>`, or bare text (fatal errors and usage). */
export function parseLogLine(line: string): LogEvent {
  const { informational, text } = readEntry(line);
  if (informational) return milestone(text);
  return FAILURES.find(([pattern]) => pattern.test(text))?.[1] ?? { kind: "other" };
}

interface Entry {
  /** Debug and info lines: progress is read from them, failures are not. */
  readonly informational: boolean;
  readonly text: string;
}

const jsonEntry = z.object({
  level: z.string(),
  message: z._default(z.string(), ""),
  error: z._default(z.string(), ""),
  status_code: z._default(z.string(), ""),
});

function readEntry(line: string): Entry {
  const json = jsonEntry.safeParse(parsedJson(line));
  if (json.success) {
    const { level, message, error, status_code } = json.data;
    return {
      informational: level === "info" || level === "debug",
      text: `${message} ${error} ${status_code}`,
    };
  }
  const [, level = "", message = ""] =
    /^\d{4}-\d\d-\d\dT\S+ (DBG|INF|WRN|ERR|FTL|PNC) (.*)$/.exec(line) ?? [];
  if (level === "") return { informational: false, text: line };
  return { informational: level === "INF" || level === "DBG", text: message };
}

function parsedJson(line: string): unknown {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function milestone(text: string): LogEvent {
  const url = quickTunnelUrl(text);
  if (url !== undefined) return { kind: "url", url };
  const port = metricsPort(text);
  if (port !== undefined) return { kind: "metrics", port };
  if (text.startsWith("Registered tunnel connection")) return { kind: "registered" };
  if (text.startsWith("Unregistered tunnel connection")) return { kind: "lost" };
  return { kind: "other" };
}

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const MAX_BANNER_CHARS = 512;
/** Alone in its line of the banner: `|  https://a-b.trycloudflare.com  |`. */
const BANNER = new RegExp(`^\\|? *(https://((?:${LABEL}\\.){1,4})trycloudflare\\.com) *\\|? *$`);

/** The address a quick tunnel was given: https, a name below trycloudflare.com, and nothing else. */
export function quickTunnelUrl(text: string): string | undefined {
  if (text.length > MAX_BANNER_CHARS) return undefined;
  const [, url, labels] = BANNER.exec(text) ?? [];
  return labels === "api." ? undefined : url;
}

function metricsPort(text: string): number | undefined {
  const [, digits = ""] = /^Starting metrics server on 127\.0\.0\.1:(\d{1,5})\/metrics\b/.exec(text) ?? [];
  const port = Number(digits);
  return port > 0 && port < 65_536 ? port : undefined;
}

/** The first pattern that fits decides. Texts as of cloudflared 2025 and 2026. */
const FAILURES: readonly (readonly [RegExp, LogEvent])[] = [
  [/QuickTunnel response.*(?:\b1015\b|\b429\b)/is, { kind: "fault", code: "cloudflared-rate-limited" }],
  [
    /Error unmarshaling QuickTunnel response|failed to \w+ quick[- ]tunnel/i,
    { kind: "fault", code: "cloudflared-api-down" },
  ],
  [
    /lookup srv records|resolve SRV record|looking up Cloudflare edge|_v2-origintunneld/i,
    { kind: "fault", code: "cloudflared-edge-unknown" },
  ],
  [
    /Incorrect Usage|flag provided but not defined|parsing YAML|open .*: no such file|did not specify any valid/i,
    { kind: "fault", code: "cloudflared-config" },
  ],
  [
    /dial to edge|dial a quic|new quic connection|DialContext error|dial tcp \S+:7844|handshake with edge|establish connection with Cloudflare edge/i,
    { kind: "dial-failed" },
  ],
  [
    /Connection terminated|Lost connection with the edge|Failed to serve|Serve tunnel error/i,
    { kind: "lost" },
  ],
];
