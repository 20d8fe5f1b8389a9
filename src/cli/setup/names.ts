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
  "vscode-insiders",
  "vscodium",
  "windsurf",
  "zed",
] as const;

export type ClientName = (typeof CLIENT_NAMES)[number];

/** What people call the clients otherwise: programs, products and their spellings. In lower case, with dashes. */
const ALIASES: Readonly<Record<ClientName, readonly string[]>> = {
  "claude-code": ["claude", "claudecode", "claude-cli", "claude-code-cli"],
  "claude-desktop": ["claudedesktop", "claude-app", "claude-desktop-app"],
  codex: ["codex-cli", "openai-codex"],
  copilot: ["copilot-cli", "github-copilot", "github-copilot-cli", "gh-copilot"],
  cursor: ["cursor-agent", "cursor-cli", "cursor-editor", "cursor-ide"],
  gemini: ["gemini-cli", "google-gemini", "google-gemini-cli"],
  opencode: ["open-code", "opencode-ai", "opencode-cli"],
  vscode: ["vs-code", "code", "visual-studio-code"],
  "vscode-insiders": [
    "vs-code-insiders",
    "code-insiders",
    "vscodeinsiders",
    "insiders",
    "visual-studio-code-insiders",
  ],
  vscodium: ["vs-codium", "codium"],
  windsurf: ["windsurf-editor", "codeium", "codeium-windsurf"],
  zed: ["zed-editor", "zeditor"],
};

/** The client that somebody means by a name in any letter case, with spaces, dots or underscores for dashes. */
export function clientNamed(text: string): ClientName | undefined {
  const name = text
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_.-]+/g, "-");
  return CLIENT_NAMES.find((client) => client === name || ALIASES[client].includes(name));
}
