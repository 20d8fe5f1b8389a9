import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ERRORS } from "../../src/errors/tunnel-error.ts";
import { OPTION_NAMES, variableOf } from "../../src/relay/config/options.ts";
import { readConfig } from "../../src/relay/config/read.ts";
import { TOKEN_USAGE } from "../../src/relay/token/usage.ts";
import { readTokenArgs } from "../../src/relay/token/flags.ts";
import { parseCommand } from "../../src/cli/args.ts";
import { SETTINGS } from "../../src/cli/settings.ts";
import { REASONS } from "../../src/uplink/close-codes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(path.join(ROOT, file), "utf8");
const page = read("docs/RELAY.md");

/** The words of a command, without the quotes of a shell. */
const words = (line: string): string[] => line.split(" ").map((word) => word.replace(/^'(.*)'$/, "$1"));

test("every command of the page is one that the program takes", () => {
  const commands = [...page.matchAll(/^ *(?:[A-Z_]+=\S+ )*tunnel-mcp relay ?(.*)$/gm)].map(
    ([, rest = ""]) => rest,
  );
  const inCompose = [...page.matchAll(/^ *docker compose .* relay (token .*)$/gm)].map(
    ([, rest = ""]) => rest,
  );
  expect(commands.length).toBeGreaterThan(5);
  for (const command of [...commands, ...inCompose].filter((one) => one !== "")) {
    const args = words(command);
    if (args[0] === "token")
      expect([command, typeof readTokenArgs(args.slice(1), 0)]).toEqual([command, "object"]);
    else
      expect([command, readConfig({ args, env: {} })]).toEqual([
        command,
        expect.objectContaining({ isCheck: false }),
      ]);
  }
});

test("every other command of the page is one that the program takes, too", () => {
  const commands = [...page.matchAll(/^ *(?:[A-Z_]+=\S+ )*tunnel-mcp (?!relay)(.+)$/gm)].map(
    ([, rest = ""]) => rest,
  );
  expect(commands.length).toBeGreaterThan(1);
  for (const command of commands) {
    const args = (command.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));
    expect([command, parseCommand(args).kind]).toEqual([command, args[0]]);
  }
});

test("every option, variable and file of the page is there", () => {
  const known = new Set<string>([
    ...OPTION_NAMES,
    "goal",
    ...[...TOKEN_USAGE.matchAll(/--([a-z][a-z-]+)/g)].map(([, name = ""]) => name),
    ..."check config help build wait no-deps rm format port static-token max-request-body".split(" "),
    ..."max-response-body auth-secret subdomain tcp access".split(" "),
  ]);
  for (const [, option = ""] of page.matchAll(/`?--([a-z][a-z-]+)/g)) expect(known).toContain(option);
  const variables = new Set<string>([
    ...OPTION_NAMES.map(variableOf),
    ...Object.values(SETTINGS).map(({ variable }) => variable),
  ]);
  for (const [variable] of page.matchAll(/\b(?:RELAY|TUNNEL)_[A-Z_]*[A-Z]\b/g))
    expect(variables).toContain(variable);
  for (const [file] of page.matchAll(/\b(?:deploy|examples)\/(?!\.env\b(?!\.))[\w.-]*\w/g))
    expect([file, existsSync(path.join(ROOT, file))]).toEqual([file, true]);
});

test("every message in the table of troubles is one that the program says", () => {
  const told = Object.values(ERRORS).map(({ message }) => message);
  const quoted = [...page.matchAll(/^\| `([^`]+)` +\| /gm)].map(([, text = ""]) => text);
  const messages = quoted.filter(
    (text) => text.startsWith("the ") || text.startsWith("what ") || text.startsWith("another "),
  );
  expect(messages.length).toBeGreaterThan(6);
  for (const message of messages.filter((text) => !text.startsWith("the file of"))) {
    const [before = "", after] = message.split(" ... ");
    const [sentence = "", reason] = before.split(": ");
    const fits = told.some((one) => one.startsWith(sentence) && (after === undefined || one.endsWith(after)));
    expect([message, fits]).toEqual([message, true]);
    if (reason !== undefined) expect(Object.keys(REASONS)).toContain(reason);
  }
});

test("the example is the file that is run, in ten lines or a few more, and the same in both module systems", () => {
  const example = read("examples/expose.mjs");
  expect(/```js\n([\s\S]*?)```/.exec(page)?.[1]).toBe(example);
  const body = (text: string): string => text.slice(text.indexOf("\n\n"));
  expect(body(read("examples/expose.cjs"))).toBe(body(example));
  expect(example.trim().split("\n").length).toBeLessThanOrEqual(14);
});
