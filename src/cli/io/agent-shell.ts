import type { Environment } from "./environment.ts";

/** Variables that clients set in the shells of their agents. Most agents' shells are known by one of them, and none is proof. */
const MARKS: readonly (readonly [variable: string, client: string])[] = [
  ["CLAUDECODE", "Claude Code"],
  ["CURSOR_AGENT", "Cursor"],
  ["GEMINI_CLI", "Gemini CLI"],
  ["CODEX_SANDBOX", "Codex"],
  ["CODEX_THREAD_ID", "Codex"],
  ["OPENCODE", "opencode"],
  ["AI_AGENT", "an agent"],
  ["AGENT", "an agent"],
];

/** The client in whose agent's shell this runs, as far as that can be told. */
export function agentShell(env: Environment): string | undefined {
  return MARKS.find(([variable]) => (env[variable] ?? "") !== "")?.[1];
}
