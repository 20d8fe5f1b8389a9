/**
 * What the first tool call loads, as one unit: the build keeps it apart (scripts/build.mjs), so that a client that only
 * lists the tools does not wait for sockets, cryptography and tunnels.
 */
export { ACTIONS } from "../control/actions.ts";
export { Endpoint } from "../control/endpoint.ts";
export { controlFolders, placeFacts } from "../control/places.ts";
export { loadSessions } from "./sessions.ts";
