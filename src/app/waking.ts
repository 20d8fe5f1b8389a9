/**
 * The commands that ask a running server, as one small unit (scripts/build.mjs): they run for hours beside an agent, and
 * need nothing of what the others bring.
 */
export { serverSearch, wake } from "../cli/wake/wake.ts";
export { wakeWatch } from "../cli/wake/watch.ts";
