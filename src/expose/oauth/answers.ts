import type { AuthorizationResponse } from "../authorization.ts";
import { plainPage } from "../access/pages.ts";
import type { RawFields } from "../message.ts";

/** Any page may read these answers: nothing in them depends on who a browser is. */
const OPEN_TO_PAGES: RawFields = ["Access-Control-Allow-Origin", "*"];

export function json(status: number, value: object, fields: RawFields = []): AuthorizationResponse {
  return {
    status,
    fields: [
      "Content-Type",
      "application/json",
      "Cache-Control",
      "no-store",
      "X-Content-Type-Options",
      "nosniff",
      ...OPEN_TO_PAGES,
      ...fields,
    ],
    body: JSON.stringify(value),
  };
}

/** Error codes of the endpoints that programs call (RFC 6749 §5.2, RFC 7591 §3.2.2, RFC 8707 §2). */
export type OAuthError =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "invalid_target"
  | "unsupported_grant_type"
  | "invalid_redirect_uri"
  | "invalid_client_metadata"
  | "temporarily_unavailable";

/** @param description one sentence; nothing of the request is repeated in it */
export function oauthError(error: OAuthError, description: string, retrySec?: number): AuthorizationResponse {
  const status = error === "invalid_client" ? 401 : retrySec === undefined ? 400 : 429;
  const fields = retrySec === undefined ? [] : ["Retry-After", String(retrySec)];
  return json(status, { error, error_description: description }, fields);
}

export function preflight(methods: string): AuthorizationResponse {
  return {
    status: 200,
    fields: [
      ...OPEN_TO_PAGES,
      "Access-Control-Allow-Methods",
      methods,
      "Access-Control-Allow-Headers",
      "Content-Type, Accept, Authorization, MCP-Protocol-Version",
      "Access-Control-Max-Age",
      "600",
    ],
    body: "",
  };
}

export function wrongMethod(methods: string): AuthorizationResponse {
  return {
    status: 405,
    fields: ["Content-Type", "text/plain; charset=utf-8", "Allow", methods, ...OPEN_TO_PAGES],
    body: "method not allowed\n",
  };
}

export function notice(status: number, title: string, lines: readonly string[]): AuthorizationResponse {
  return { status, ...plainPage(title, lines) };
}
