/**
 * Every command but the server, as one unit: the build keeps it apart (scripts/build.mjs), so that a client that starts
 * the server does not wait for what only a person at a terminal uses.
 */
export { chat } from "./chat/chat.ts";
export { demo } from "./demo/demo.ts";
export { doctor } from "./doctor/doctor.ts";
export { realProbes } from "./doctor/probes.ts";
export { installSkill } from "./install-skill.ts";
export { exportTranscript } from "./transcript/export.ts";
export { verify } from "./transcript/verify.ts";
export { setupHere } from "./setup/here.ts";
