import { describe, expect, it } from "vitest";
import { parseCommand } from "../../../src/cli/args.ts";
import { parseDuration } from "../../../src/cli/expose/duration.ts";
import { durationText } from "../../../src/view/time.ts";

const parsed = (line: string) => parseCommand(line.split(" "));

function refusal(...args: string[]): string {
  const command = parseCommand(["expose", ...args]);
  return command.kind === "usage-error" ? command.message : `understood: ${JSON.stringify(command)}`;
}

const NOTHING_SAID = {
  name: undefined,
  access: undefined,
  openPaths: undefined,
  claims: undefined,
  expiresInMinutes: undefined,
  hostHeader: undefined,
  inspect: undefined,
  transport: undefined,
};

describe("expose", () => {
  it("takes one target, or several, and leaves what is not said to the exposure", () => {
    const rest = { wanted: NOTHING_SAID, isDryRun: false, json: false };
    expect(parsed("expose 3000")).toEqual({ kind: "expose", targets: ["3000"], ...rest });
    expect(parsed("expose 3000 ./dist https://localhost:8443")).toMatchObject({
      targets: ["3000", "./dist", "https://localhost:8443"],
    });
  });

  it("takes every option, those that repeat in both ways", () => {
    const line =
      "expose --json 3000 --name web --access claim,token --access basic --claims 3 --for 1h30m " +
      "--host-header app.test:8080 --no-inspect --transport direct --dry-run";
    const openPaths = ["--open-path", "POST,PUT /hooks/*", "--open-path=GET /health"];
    expect(parseCommand([...line.split(" "), ...openPaths])).toEqual({
      kind: "expose",
      targets: ["3000"],
      wanted: {
        name: "web",
        access: ["claim", "token", "basic"],
        openPaths: ["POST,PUT /hooks/*", "GET /health"],
        claims: 3,
        expiresInMinutes: 90,
        hostHeader: "app.test:8080",
        inspect: false,
        transport: "direct",
      },
      isDryRun: true,
      json: true,
    });
  });

  it.each([
    ["no target, with the three kinds of them", [], /A port \(3000\).*https:\/\/localhost:3000.*\.\/dist/],
    [
      "an unknown way in, with the nearest one",
      ["3000", "--access", "tokn"],
      /tokn; did you mean token\? Known are claim, token, prefix, basic, open/,
    ],
    [
      "an unknown way in that is like none",
      ["3000", "--access", "xyzzy"],
      /xyzzy; known are claim, token, prefix, basic, open/,
    ],
    ["open with another", ["3000", "--access", "open,claim"], /does not go with another/],
    ["an empty list of ways", ["3000", "--access", ","], /--access needs a value/],
    ["claims without claim links", ["3000", "--access", "token", "--claims", "2"], /does not have claim/],
    ["too many claims", ["3000", "--claims", "33"], /from 1 to 32/],
    ["no claims", ["3000", "--claims", "0"], /from 1 to 32/],
    ["a time that is none", ["3000", "--for", "soon"], /2h, 90m, 1h30m or 45 \(minutes\), from 1m to 24h/],
    ["more than a day", ["3000", "--for", "24h1m"], /from 1m to 24h/],
    ["an unknown transport", ["3000", "--transport", "bore"], /--transport must be/],
    ["a name for several", ["3000", "3001", "--name", "web"], /one target/],
    ["an unknown option, with the nearest one", ["3000", "--fro", "2h"], /--fro; did you mean --for\?/],
    ["more targets than can run", ["1", "2", "3", "4", "5", "6", "7", "8", "9"], /unexpected argument 9/],
    [
      "a word among targets, with how the folder is written",
      ["3000", "list"],
      /expose list; a folder of that name is \.\/list/,
    ],
    [
      "a second word after list",
      ["list", "web"],
      /takes no other word; a folder of the name list is exposed as \.\/list/,
    ],
    ["stop without a name", ["stop"], /NAME or ID.*--all.*\.\/stop/],
    ["stop with two", ["stop", "a", "b"], /takes one name or id/],
    ["stop of one and of all", ["stop", "a", "--all"], /leave the name out, or --all/],
  ])("refuses %s", (_, args, message) => {
    expect(refusal(...args)).toMatch(message);
  });

  it("shows how it is called, and repeats no secret that stands in the wrong place", () => {
    const command = parseCommand(["expose", "3000", "--access", "hunter2-Is-Secret"]);
    expect(command).toMatchObject({ kind: "usage-error" });
    expect(JSON.stringify(command)).not.toContain("hunter2");
    expect(parsed("expose")).toMatchObject({
      usage: expect.stringMatching(
        /^tunnel-mcp expose TARGET\.\.\. .*\[--open-path 'METHOD \/PATH'\]\.\.\..*\[--for TIME\]/,
      ),
    });
    expect(parsed("expose stop")).toMatchObject({
      usage: "tunnel-mcp expose stop [NAME|ID] [--all] [--json]",
    });
  });
});

it.each([
  ["expose list", { kind: "expose-list", history: false, json: false }],
  ["expose list --history --json", { kind: "expose-list", history: true, json: true }],
  ["expose stop web", { kind: "expose-stop", which: "web", json: false }],
  ["expose stop list --json", { kind: "expose-stop", which: "list", json: true }],
  ["expose stop --all", { kind: "expose-stop", which: undefined, json: false }],
])("%s", (line, command) => {
  expect(parsed(line)).toEqual(command);
});

it.each([
  ["2h", 120],
  ["90m", 90],
  ["1h30m", 90],
  ["1H30M", 90],
  ["1h30", 90],
  ["45", 45],
  [" 1m ", 1],
  ["24h", 1440],
  ["1440", 1440],
  ["0", undefined],
  ["0h0m", undefined],
  ["1441", undefined],
  ["25h", undefined],
  ["", undefined],
  ["h", undefined],
  ["m", undefined],
  ["-5", undefined],
  ["1.5h", undefined],
  ["2d", undefined],
  ["30m1h", undefined],
  ["1h 30m", undefined],
  ["999999999999999999999h", undefined],
])("the time %j is %s minutes", (typed, minutes) => {
  expect(parseDuration(typed)).toBe(minutes);
});

it("tells a time in the unit that fits", () => {
  expect([0, 59, 60, 3_599, 3_600, 5_400, 86_400].map(durationText)).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "1 h",
    "1 h",
    "1 h 30 min",
    "24 h",
  ]);
});
