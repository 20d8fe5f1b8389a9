import { OAUTH } from "./limits.ts";
import { isOnly, type Parameters } from "./parameters.ts";

/** Why a request of a client that is known is not granted (RFC 6749 §4.1.2.1, RFC 8707 §2, RFC 9101 §7). */
export interface AuthorizeFault {
  readonly error:
    | "invalid_request"
    | "unsupported_response_type"
    | "invalid_target"
    | "request_not_supported"
    | "interaction_required";
  readonly description: string;
}

/** 32 bytes in base64url: what SHA-256 gives (RFC 7636 §4.2). */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;

/** @returns the challenge, or why there is no sign-in */
export function checkAuthorize(
  { get, resources }: Parameters,
  resource: string,
): { readonly challenge: string } | AuthorizeFault {
  const challenge = get("code_challenge");
  if (get("request") !== undefined || get("request_uri") !== undefined)
    return fault("request_not_supported", "requests are made of plain parameters");
  if (get("response_type") !== "code") return fault("unsupported_response_type", "the response type is code");
  if ((get("response_mode") ?? "query") !== "query")
    return fault("invalid_request", "the response mode is query");
  if (challenge === undefined || !CHALLENGE.test(challenge) || get("code_challenge_method") !== "S256")
    return fault("invalid_request", "PKCE is required, with the method S256");
  if (!isOnly(resources, resource))
    return fault("invalid_target", "the resource is another one than this server's");
  if (get("prompt") === "none")
    return fault("interaction_required", "nobody is let in without the owner's code");
  if ((get("state") ?? "").length > OAUTH.stateChars)
    return fault("invalid_request", "the state is too long");
  return { challenge };
}

const fault = (error: AuthorizeFault["error"], description: string): AuthorizeFault => ({
  error,
  description,
});
