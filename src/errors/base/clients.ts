/**
 * The first Claude Code that asks a human before each call of a tool marked `anthropic/requiresUserInteraction`: 2.1.198
 * was seen to run such a tool unasked (docs/DECISIONS.md). It stands here since an error text names it.
 */
export const CLAUDE_CODE_ASKS_SINCE = "2.1.199";
