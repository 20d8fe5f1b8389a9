/**
 * Every command but the server, as one unit: the build keeps it apart (scripts/build.mjs), so that a client that starts
 * the server does not wait for what only a person at a terminal uses.
 */
export { chat } from "./chat/chat.ts";
export { demo } from "./demo.ts";
export { doctor } from "./doctor.ts";
export { realProbes } from "./doctor-probes.ts";
export { installSkill } from "./install-skill.ts";
export { exportTranscript } from "./export.ts";
export { verify } from "./transcript.ts";
export { setupHere } from "./setup/here.ts";
