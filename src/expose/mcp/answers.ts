import type { Refusal } from "../access/answers.ts";

export const NOT_MCP: Refusal = {
  status: 404,
  why: "not-mcp",
  title: "There is only /mcp.",
  lines: ["This address is an MCP server over Streamable HTTP."],
};

export const FOREIGN_PAGE: Refusal = {
  status: 403,
  why: "foreign-page",
  title: "Refused: this comes from a web page.",
  lines: [
    "Pages call this address only where its owner has allowed their origin. Programs leave Origin out.",
  ],
};

export const AUTHORIZATION_FAILED: Refusal = {
  status: 500,
  why: "authorization-failed",
  title: "The authorization has failed.",
  lines: ["Try again."],
};

/** RFC 6750 §3. @param resourceMetadata RFC 9728 §5.1 */
export function challenge(about: {
  readonly isWrong: boolean;
  readonly resourceMetadata: URL | undefined;
}): Refusal {
  const { isWrong, resourceMetadata } = about;
  const parts = [
    'realm="tunnel"',
    ...(isWrong ? ['error="invalid_token"'] : []),
    ...(resourceMetadata === undefined ? [] : [`resource_metadata="${resourceMetadata.href}"`]),
  ];
  return {
    status: 401,
    why: isWrong ? "wrong-credential" : "no-access",
    title: "This MCP server is not public.",
    lines: ["Clients send the token they were given as Authorization: Bearer TOKEN."],
    fields: ["WWW-Authenticate", `Bearer ${parts.join(", ")}`],
  };
}
