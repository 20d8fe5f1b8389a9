/**
 * The commands that ask a running server. The build makes a small bundle of them (scripts/build.mjs): they run for hours
 * beside an agent and need nothing of the other commands.
 */
export { keptSearch, serverSearch, wake } from "../cli/wake/wake.ts";
export { wakeWatch } from "../cli/wake/watch.ts";
