import { existsSync, readFileSync } from "node:fs";

/** The lines that another process has written to a file so far; one that is only half there does not count. */
export function completeLines(file: string): string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n").slice(0, -1);
}
