import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** The answer of a person: the chosen lines. */
export type Choice =
  { readonly kind: "chosen"; readonly numbers: readonly number[] } | { readonly kind: "unclear" };

/** Reads an answer; an empty one means all lines. */
export function parseChoice(answer: string, count: number): Choice {
  const words = answer
    .trim()
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => word !== "");
  const whole = words.join(" ");
  if (/^(?:all|a|y|yes)?$/.test(whole)) {
    return { kind: "chosen", numbers: Array.from({ length: count }, (_, index) => index + 1) };
  }
  if (/^(?:none|n|no|q|0)$/.test(whole)) return { kind: "chosen", numbers: [] };
  const numbers = words.map((word) => (/^\d{1,3}$/.test(word) ? Number(word) : Number.NaN));
  if (!numbers.every((number) => number >= 1 && number <= count)) return { kind: "unclear" };
  return { kind: "chosen", numbers: [...new Set(numbers)].sort((a, b) => a - b) };
}

/**
 * Asks until the answer is clear; the end of the input means none. The terminal stays in its own line mode, so Ctrl-C is
 * the signal that ends every command, and nothing has been changed by then.
 */
export async function askWhich(
  input: Readable,
  write: (text: string) => void,
  count: number,
): Promise<readonly number[]> {
  const lines = createInterface({ input, terminal: false });
  const prompt = `Which ones? ${count === 1 ? "1" : `Numbers from 1 to ${count}`}, all or none [all]: `;
  try {
    write(prompt);
    for await (const line of lines) {
      const choice = parseChoice(line, count);
      if (choice.kind === "chosen") return choice.numbers;
      write(`That was not clear. ${prompt}`);
    }
    write("\n");
    return [];
  } finally {
    lines.close();
  }
}
