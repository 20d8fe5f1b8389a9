/**
 * Every command but the server. The build makes a bundle of it (scripts/build.mjs), so that a starting server does not
 * load what only a person at a terminal uses.
 */
export { anthropicTunnel } from "../cli/anthropic/anthropic-tunnel.ts";
export { chat } from "../cli/chat/chat.ts";
export { kept } from "../cli/chat/kept.ts";
export { demo } from "../cli/demo/demo.ts";
export { expose } from "../cli/expose/expose.ts";
export { exposeList } from "../cli/expose/list.ts";
export { exposeStop } from "../cli/expose/stop.ts";
export { doctor } from "../cli/doctor/doctor.ts";
export { realProbes } from "../cli/doctor/probes.ts";
export { relayToCheck } from "../cli/doctor/relay-probes.ts";
export { installSkill, uninstallSkill } from "../cli/setup/install-skill.ts";
export { exportTranscript } from "../cli/transcript/export.ts";
export { verify } from "../cli/transcript/verify.ts";
export { observe } from "../cli/observe/observe.ts";
export { page, showPage } from "../cli/page/page.ts";
export { watch } from "../cli/watch/watch.ts";
export { wrapWords } from "../cli/io/wrap.ts";
export { setupHere } from "../cli/setup/here.ts";
