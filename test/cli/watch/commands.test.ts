import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Board } from "../../../src/cli/watch/board.ts";
import { readTyped, WATCH_COMMANDS, type TypedContext } from "../../../src/cli/watch/commands.ts";
import { thrownBy } from "../../support/thrown.ts";
import { askOf, asked, FakeServer, hello, tunnelOf } from "./support.ts";

const [one, two] = [new FakeServer("1"), new FakeServer("2")];

function context(over: Partial<TypedContext> = {}, hasTwo = false): TypedContext {
  const board = new Board();
  board.heard(one, hello([tunnelOf("aaaa")], [askOf(3, "hello"), askOf(4, "four")]));
  if (hasTwo) board.heard(two, hello([tunnelOf("bbbb")], [askOf(3, "other", { tunnelId: "bbbb" })]));
  return { board, chosen: undefined, wasShown: () => "shown", ...over };
}

const digest = askOf(3, "").digest;
const told = (line: string, given = context()) => readTyped(line, given);
const detailOf = (line: string, given = context()) => {
  const { code, detail } = thrownBy(() => readTyped(line, given));
  return `${code}: ${detail ?? ""}`;
};

describe("a typed line", () => {
  const decide = (decision: object) => ({
    do: "tell",
    server: one,
    command: { do: "decide", ask: 3, digest, decision },
  });
  const tunnel = (name: string, more: object = {}) => ({
    do: "tell",
    server: one,
    command: { do: name, tunnelId: "aaaa", ...more },
  });

  it.each<[line: string, means: object]>([
    ["", { do: "nothing" }],
    ["   ", { do: "nothing" }],
    ["quit", { do: "quit" }],
    ["exit", { do: "quit" }],
    ["help", { do: "help" }],
    ["?", { do: "help" }],
    ["asks", { do: "asks" }],
    ["tunnels", { do: "tunnels" }],
    ["use aa", { do: "use", tunnelId: "aaaa" }],
    ["show 3", { do: "show", waiting: { ask: { ask: 3 } } }],
    ["approve 3", decide({ verdict: "approve" })],
    ["  APPROVE 3  ", decide({ verdict: "approve" })],
    ["refuse 3", decide({ verdict: "refuse" })],
    ["refuse 3 not this, and why", decide({ verdict: "refuse", reason: "not this, and why" })],
    ["edit 3", { do: "edit", waiting: { ask: { ask: 3 } } }],
    ["edit 3 my own\nwords", decide({ verdict: "edit", text: "my own\nwords" })],
    ["hold out", tunnel("hold", { mode: "out" })],
    ["hold in aaaa", tunnel("hold", { mode: "in" })],
    ["hold off", tunnel("hold", { mode: "off" })],
    ["pause", tunnel("pause")],
    ["resume", tunnel("resume")],
    ["go-on", tunnel("go-on")],
    ["end", tunnel("end")],
    ["say hello there", tunnel("say", { text: "hello there" })],
    [
      "say to ben, Carl von Berg: hello: you",
      tunnel("say", { text: "hello: you", to: ["ben", "Carl von Berg"] }),
    ],
    ["say a pasted\ntext: of lines", tunnel("say", { text: "a pasted\ntext: of lines" })],
    ["kick Carl von Berg", tunnel("kick", { name: "Carl von Berg" })],
  ])("%j", (line, means) => {
    expect(told(line)).toMatchObject(means);
  });

  it("has a meaning for every command of the list, and the list names each", () => {
    for (const [word] of WATCH_COMMANDS) {
      const said = () => readTyped(`${word} `, context());
      // Whatever is missing: it is never an unknown word.
      try {
        said();
      } catch (error) {
        expect(String(error)).not.toContain("no such command");
      }
    }
  });

  it.each<[line: string, detail: string]>([
    ["approve", "input-invalid: the number of the ask is missing"],
    ["approve 9", "ask-unknown: "],
    ["approve 03", "ask-unknown: "],
    ["approve all", "ask-unknown: "],
    ["hold", "input-invalid: hold takes out, in or off"],
    ["hold everything", "input-invalid: hold takes out, in or off"],
    ["say", "input-invalid: the text is missing"],
    ["kick", "input-invalid: the name is missing"],
    ["use zz", "tunnel-unknown: "],
    ["end zz", "tunnel-unknown: "],
  ])("%j is refused: %s", (line, detail) => {
    expect(detailOf(line)).toBe(detail);
  });

  it("that is no command is never repeated, and helps", () => {
    const detail = detailOf("aprove 3 my password is hunter2");
    expect(detail).toContain("did you mean approve?");
    expect(detail).not.toContain("hunter2");
    expect(detailOf("hunter2")).not.toContain("hunter2");
    expect(detailOf("hunter2")).toContain("say TEXT");
    expect(detailOf("constructor")).toContain("no such command");
  });

  it("with more words behind a yes is no yes", () => {
    expect(detailOf("approve 3 but not the last line")).toContain("a number alone");
  });

  it("H14: no yes to what was not shown as a whole; a no is always possible", () => {
    const unseen = context({ wasShown: () => "not-whole" });
    for (const line of ["approve 3", "edit 3", "edit 3 words"])
      expect(detailOf(line, unseen)).toContain("type show 3 first");
    expect(told("refuse 3", unseen)).toMatchObject({ do: "tell" });
    expect(told("show 3", unseen)).toMatchObject({ do: "show" });
  });

  it("H13: no yes to what came a moment ago; a no is always possible", () => {
    const fresh = context({ wasShown: () => "just-shown" });
    expect(detailOf("approve 3", fresh)).toContain("it came only now");
    expect(detailOf("edit 3 words", fresh)).toContain("it came only now");
    expect(told("refuse 3", fresh)).toMatchObject({ do: "tell" });
  });

  it("edits nothing that is no message of this side's own agent", () => {
    const given = context();
    const subject = { kind: "incoming", seq: 1, fromName: "ben", text: "x" } as const;
    given.board.heard(one, asked(askOf(5, "", { subject })));
    expect(detailOf("edit 5 words", given)).toMatch(/^ask-not-text/);
  });

  it("with a number that two servers have asks which is meant, and tells the right one", () => {
    const both = context({}, true);
    expect(detailOf("approve 3", both)).toContain("3@aaaa, 3@bbbb");
    expect(told("approve 3@bbbb", both)).toMatchObject({ server: two, command: { ask: 3 } });
    expect(told("refuse 3@aaaa no", both)).toMatchObject({ server: one });
    expect(told("approve 4", both)).toMatchObject({ server: one });
    expect(detailOf("approve 3@", both)).toBe("ask-unknown: ");
  });

  it("is about the chosen tunnel, or the only one, and never about another one in its place", () => {
    const both = context({}, true);
    expect(detailOf("pause", both)).toContain("use TUNNEL: aaaa, bbbb");
    expect(told("pause bb", both)).toMatchObject({ server: two });
    expect(told("say hello", { ...both, chosen: "bbbb" })).toMatchObject({ server: two });
    const ended = { cause: "closed-here", because: "this side has closed it" };
    both.board.heard(two, { t: "tunnel", tunnel: tunnelOf("bbbb", { ended }) });
    expect(told("say hello", both)).toMatchObject({ server: one });
    expect(detailOf("say for bbbb alone", { ...both, chosen: "bbbb" })).toContain("use TUNNEL: aaaa");
    both.board.gone(one);
    expect(detailOf("say hello", both)).toBe("input-invalid: no tunnel is open");
  });
});

it("docs/CLI.md has every command, as `help` lists it", () => {
  const page = readFileSync(new URL("../../../docs/CLI.md", import.meta.url), "utf8");
  const [, section = ""] = /## Watching your agents\n([\s\S]*?)\n## /.exec(page) ?? [];
  const rows = Array.from(section.matchAll(/^\| `(.+?)` +\| (.+?) +\|$/gm), ([, command = "", does]) => [
    command.replaceAll("\\|", "|"),
    does,
  ]);
  expect(rows).toEqual(WATCH_COMMANDS.map(([word, usage, help]) => [`${word} ${usage}`.trimEnd(), help]));
});
