/**
 * How the other human sets tunnel-mcp up, once. The npm name `tunnel-mcp` is not this project's until it has been
 * published under it: until then nobody may be told to fetch it, since they would get somebody else's program
 * (docs/DECISIONS.md). `npx -y tunnel-mcp` becomes the command here on the day of publication.
 */
export const PUBLISHED = false;

const SERVER_COMMAND = PUBLISHED ? "npx -y tunnel-mcp" : "node /path/to/tunnel-mcp/dist/tunnel-mcp.cjs";

/** The line that registers the server with Claude Code. */
export const REGISTRATION = `claude mcp add tunnel -- ${SERVER_COMMAND}`;

/** The same as one instruction to somebody who has nothing yet. */
export const SET_UP = PUBLISHED
  ? REGISTRATION
  : `in a clone of tunnel-mcp: npm ci && npm run build, then ${REGISTRATION} (with the clone's own path)`;
