import { lintSource } from "@secretlint/core";
import { rules } from "@secretlint/secretlint-rule-preset-recommend";
import type { Detected } from "./scanner.ts";

/**
 * Comments in the text must not switch the search off, and files that a text names are not its business. Passwords in URLs are
 * judged by the table, which knows more of the words that stand for one.
 */
const LEFT_OUT = ["filter-comments", "gcp", "basicauth", "database-connection-string"];
const PREFIX = "@secretlint/secretlint-rule-";

const CHOSEN = rules
  .filter(({ meta }) => !LEFT_OUT.includes(nameOf(meta.id)))
  .map((rule) => ({ id: rule.meta.id, rule, options: {} }));

/** The second engine. Its messages hold the secret, and end here. */
export async function detectWithSecretlint(text: string): Promise<readonly Detected[]> {
  const { messages } = await lintSource({
    // Without a path: one rule would open the file.
    source: { content: text, contentType: "text", filePath: "", ext: ".txt" },
    options: { config: { rules: CHOSEN }, noPhysicFilePath: true },
  });
  return messages.map(({ ruleId, range: [from, to] }) => ({
    rule: `a credential (${nameOf(ruleId)})`,
    from,
    to,
  }));
}

function nameOf(ruleId: string): string {
  return ruleId.startsWith(PREFIX) ? ruleId.slice(PREFIX.length) : ruleId;
}
