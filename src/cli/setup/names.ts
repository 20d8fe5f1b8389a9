/** The clients of `setup`, as `--client` takes them. Apart from the table, so that reading the arguments stays light. */
export const CLIENT_NAMES = [
  "claude-code",
  "claude-desktop",
  "codex",
  "copilot",
  "cursor",
  "gemini",
  "opencode",
  "vscode",
  "windsurf",
] as const;

export type ClientName = (typeof CLIENT_NAMES)[number];

export function isClientName(text: string): text is ClientName {
  return CLIENT_NAMES.some((name) => name === text);
}
