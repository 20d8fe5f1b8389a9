/** The one scope: whoever is let in may call what the exposure opens. */
export const SCOPE = "mcp";

/** Path of the protected resource, as the bridge serves it. */
export const RESOURCE_PATH = "/mcp";

/**
 * Right under the origin: claude.ai's connectors go there whatever the metadata says, and so do clients of 2025-03-26, which read none.
 */
export const PATHS = {
  authorize: "/authorize",
  token: "/token",
  register: "/register",
  revoke: "/revoke",
  resource: "/.well-known/oauth-protected-resource",
  server: "/.well-known/oauth-authorization-server",
} as const;

/** RFC 9728 §2. @param origin without a slash at its end */
export function resourceMetadata(origin: string, name: string): object {
  return {
    resource: `${origin}${RESOURCE_PATH}`,
    authorization_servers: [origin],
    scopes_supported: [SCOPE],
    bearer_methods_supported: ["header"],
    resource_name: name,
  };
}

/** RFC 8414 §2. @param takesDocuments whether a client may be named by the URL of its metadata */
export function serverMetadata(origin: string, takesDocuments: boolean): object {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}${PATHS.authorize}`,
    token_endpoint: `${origin}${PATHS.token}`,
    registration_endpoint: `${origin}${PATHS.register}`,
    revocation_endpoint: `${origin}${PATHS.revoke}`,
    scopes_supported: [SCOPE],
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: ["authorization_code", "refresh_token"],
    // Claude takes documents only where this says none.
    token_endpoint_auth_methods_supported: ["none"],
    revocation_endpoint_auth_methods_supported: ["none"],
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: takesDocuments,
  };
}
