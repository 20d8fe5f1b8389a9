import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BUDGETS } from "../../src/oversight/bounds/budgets.ts";
import { LOOP } from "../../src/oversight/bounds/loop-guard.ts";
import { GATES } from "../../src/oversight/gates/gates.ts";
import { WATCH_COMMANDS } from "../../src/cli/watch/commands.ts";

const page = readFileSync(new URL("../../docs/OVERSIGHT.md", import.meta.url), "utf8");

/** The cells of each row that begins with a name in code marks and has so many of them. */
const rows = (cells: number): readonly (readonly string[])[] =>
  Array.from(page.matchAll(/^\| (`.+) \|$/gm), ([, row = ""]) =>
    row.split(" | ").map((cell) => cell.trim()),
  ).filter((row) => row.length === cells);

const spoken = (value: number): string => value.toLocaleString("en-US");

describe("docs/OVERSIGHT.md", () => {
  it("has every gate as the table of gates has it", () => {
    const told = rows(5).map(([name, , stands, unattended, lasts]) => [name, stands, unattended, lasts]);
    const known = Object.entries(GATES).map(([name, { stands, unattended, minutes }]) => [
      `\`${name}\``,
      stands === "always" ? "always" : "by your choice",
      unattended,
      `${spoken(minutes)} min`,
    ]);
    expect(told).toEqual(known);
  });

  it("says of every gate what happens where nobody answers", () => {
    const part = page.slice(
      page.indexOf("## Where nobody watches"),
      page.indexOf("`TUNNEL_UNATTENDED=1` is for"),
    );
    for (const name of Object.keys(GATES)) expect(part).toContain(`\`${name}\``);
  });

  it("has every budget with its limit, and the numbers of the loop guard", () => {
    const told = rows(3).map(([name, limit]) => [name, limit]);
    expect(told).toEqual(Object.entries(BUDGETS).map(([name, { limit }]) => [`\`${name}\``, spoken(limit)]));
    const prose = page.replaceAll(/\s+/g, " ");
    expect(prose).toContain(
      `of the last ${LOOP.window} messages of agents fewer than ${LOOP.newsAtLeast} bring`,
    );
    expect(prose).toContain(`${LOOP.repeats} of the last ${LOOP.repeatWindow} repeat`);
  });

  it("has every command of watch", () => {
    const part = page.slice(page.indexOf("## `tunnel-mcp watch`"), page.indexOf("## Pause"));
    const named = Array.from(part.matchAll(/`([a-z-]+)(?: [^`]*)?`/g), ([, word]) => word);
    for (const [word] of WATCH_COMMANDS) expect(named).toContain(word);
  });
});
