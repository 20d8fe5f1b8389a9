import { TunnelError } from "../../errors/tunnel-error.ts";
import { valuesOf, type OwnAnswer, type RawFields } from "../message.ts";
import { MAX_ORIGINS } from "./limits.ts";

/**
 * Origins of web pages that may call an MCP server, each in the one form in which browsers send it.
 * @throws {TunnelError} input-invalid
 */
export function parseOrigins(typed: readonly string[]): readonly string[] {
  if (typed.length > MAX_ORIGINS)
    throw new TunnelError("input-invalid", { detail: `origins: at most ${MAX_ORIGINS}` });
  return typed.map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isWhole = url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
    if (!isWhole)
      throw new TunnelError("input-invalid", {
        detail: "origins: a page's scheme, host and port, as in https://app.example",
      });
    return url.origin;
  });
}

/** Names of fields that a page may send: what it asks for, if it is well formed. */
const FIELD_NAMES = /^[A-Za-z0-9-]+(?:[ \t]*,[ \t]*[A-Za-z0-9-]+)*$/;
const MAX_FIELD_NAMES = 1_024;

/** Lets the page of an origin read an answer (Fetch standard, CORS). */
export function corsFields(origin: string): RawFields {
  return [
    "Access-Control-Allow-Origin",
    origin,
    "Access-Control-Expose-Headers",
    "Mcp-Session-Id, WWW-Authenticate, Retry-After",
    "Vary",
    "Origin",
  ];
}

/** Answers the question whether a page may send what it wants to send. */
export function preflightAnswer(origin: string, fields: RawFields): OwnAnswer {
  const [asked = ""] = valuesOf(fields, "access-control-request-headers");
  const isFine = asked.length <= MAX_FIELD_NAMES && FIELD_NAMES.test(asked);
  return {
    status: 200,
    why: "preflight",
    fields: [
      ...corsFields(origin),
      "Access-Control-Allow-Methods",
      "POST, DELETE",
      ...(isFine ? ["Access-Control-Allow-Headers", asked] : []),
      "Access-Control-Max-Age",
      "600",
    ],
    body: "",
  };
}
