import type { RawFields } from "./message.ts";

/** A request for a path of the authorization, with its whole body: the gateway has read it, and keeps nothing of it. */
export interface AuthorizationRequest {
  readonly method: string;
  /** Path and query, byte for byte. */
  readonly target: string;
  readonly fields: RawFields;
  /** At most {@link MAX_AUTHORIZATION_BODY}; empty where there is none. */
  readonly body: string;
  /** IP address of the visitor, as far as the hop before us can be believed. */
  readonly source: string;
}

/** Its answer. The gateway adds `Content-Length`, and `Cache-Control: no-store` where there is none; nothing of it is recorded. */
export interface AuthorizationResponse {
  /** Never one that has no body, such as 204. */
  readonly status: number;
  /** Name and value in turn. */
  readonly fields: RawFields;
  readonly body: string;
}

/**
 * An authorization server for one exposure of an MCP server, mounted in front of the bearer gate. The gate asks it three things, and
 * knows nothing else of it. It is given to the exposure's options, and its `handle` is called for each request whose path is not
 * `/mcp`, before anything of the bearer gate and before the check of `Origin`: its own paths have rules of their own.
 */
export interface Authorization {
  /** The public origin, as soon as it is known and whenever it changes: all that was issued for another one is void. */
  publish(origin: URL): void;
  /**
   * Answers `/.well-known/oauth-protected-resource*`, `/.well-known/oauth-authorization-server*`, `/oauth/*`, CORS preflights of those
   * included.
   * @returns undefined for a path that is not its own
   */
  handle(
    request: AuthorizationRequest,
  ): Promise<AuthorizationResponse | undefined> | AuthorizationResponse | undefined;
  /** Whether an access token is valid for `/mcp` at this moment. It compares in constant time, and never throws. */
  check(bearerToken: string): boolean;
  /** Absolute; goes into `WWW-Authenticate: Bearer resource_metadata="…"` (RFC 9728 §5.1). */
  readonly resourceMetadata: URL;
  /** The exposure is over: nothing that was issued is valid any more. Idempotent. */
  end(): void;
}

/** Bytes of the body of one request for the authorization. */
export const MAX_AUTHORIZATION_BODY = 16 * 1_024;
