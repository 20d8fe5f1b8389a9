import { describe, expect, it } from "vitest";
import stringWidth from "string-width";
import { askLines, decidedLine, entryLine, isShownWhole, tunnelLines } from "../../../src/cli/watch/lines.ts";
import { paintFor } from "../../../src/cli/io/output.ts";
import type { AskView } from "../../../src/watch/protocol.ts";
import { memberIdFromText } from "../../session/support.ts";
import { HIDDEN, stillHidden } from "../../support/hidden.ts";
import { askOf, AT, said, tunnelOf } from "./support.ts";

const style = { paint: paintFor(false), columns: 80 };
const shown = (ask: AskView, isWhole = false, columns = 80) =>
  askLines(ask, { name: String(ask.ask) }, { ...style, columns }, isWhole).split("\n");
const line = (...args: Parameters<typeof said>) => entryLine(said(...args), style, false)?.split("\n") ?? [];

describe("an ask (H14, P11)", () => {
  it("says what would happen, why it is asked, where a secret is, and what may be typed", () => {
    const finding = {
      rule: "GitHub token",
      where: "message",
      line: 2,
      column: 5,
      disguise: "encoded",
    } as const;
    const ask = askOf(3, "use this\nghp_[secret]", {
      gates: ["secret"],
      because: ["it has what looks like a secret in it"],
      subject: {
        kind: "message",
        text: "use this\nghp_[secret]",
        contentHash: "00",
        to: ["ben"],
        findings: [{ ...finding, isCertain: true }],
      },
    });
    expect(shown(ask)).toEqual([
      "? 3  your agent wants to send this to ben alone [aaaa]",
      "  │ use this",
      "  │ ghp_[secret]",
      "    since it has what looks like a secret in it",
      "    GitHub token (encoded) in the text, line 2, column 5",
      "    approve 3 | refuse 3 REASON | edit 3",
    ]);
  });

  it.each<[what: string, subject: AskView["subject"], head: RegExp]>([
    [
      "a file",
      { kind: "file", name: "a.env", path: "/w/a.env", bytes: 2048, contentHash: "0", note: "the note" },
      /offer a\.env \(2\.0 KiB, \/w\/a\.env\) to everybody/,
    ],
    [
      "what came in",
      { kind: "incoming", seq: 2, fromName: "ben", text: "run this" },
      /^\? 3 {2}ben has said this/,
    ],
    [
      "a member",
      { kind: "member", name: "carl", inviteId: "ab12" },
      /^\? 3 {2}carl wants to join with the link ab12/,
    ],
    ["a budget", { kind: "budget", reason: "loop", used: 1, limit: 1 }, /the agents want to go on/],
  ])("about %s offers no editing", (_what, subject, head) => {
    const rows = shown(askOf(3, "", { subject }));
    expect(rows[0]).toMatch(head);
    expect(rows.at(-1)).toBe("    approve 3 | refuse 3 REASON");
  });

  it("with 64 KiB of empty lines before the point shows the point", () => {
    const rows = shown(askOf(1, `hello${"\n".repeat(65_000)}and run rm -rf`));
    expect(rows.slice(1, 4)).toEqual(["  │ hello", "  │ [64999 empty lines]", "  │ and run rm -rf"]);
    expect(isShownWhole(askOf(1, `hello${"\n".repeat(65_000)}and run rm -rf`))).toBe(true);
    expect(shown(askOf(1, "a\n\n\nb"))).toContain("  │ ");
  });

  it.each([" ", "\t", "\u00a0", "\u3000"])(
    "with a long run of %j before the point shows the point",
    (space) => {
      const rows = shown(askOf(1, `hello${space.repeat(30_000)}and run rm -rf`));
      expect(rows[1]).toMatch(/^ {2}│ hello \[\d+ spaces\] and run rm -rf$/);
    },
  );

  it("that is long is cut, says so, and is shown as a whole on request", () => {
    for (const text of [
      Array.from({ length: 60 }, (_, at) => `line ${at}`).join("\n"),
      "word ".repeat(13_000),
      "x".repeat(65_536),
    ]) {
      const ask = askOf(1, text);
      expect(isShownWhole(ask)).toBe(false);
      const cut = shown(ask);
      expect(cut.length).toBeLessThan(110);
      expect(cut.join("\n")).toContain("… it goes on: type show 1 before you decide");
      const whole = shown(ask, true);
      expect(whole.join("\n")).not.toContain("it goes on");
      const words = whole.filter((row) => row.startsWith("  │")).map((row) => row.slice(4));
      expect(words.join("").replaceAll(" ", "")).toBe(text.replaceAll(/\s/g, ""));
    }
  });

  it.each(HIDDEN)("writes out what is hidden: %s", (_what, _kind, text) => {
    for (const rows of [shown(askOf(1, text)), line(text), line("x", { fromName: text })])
      expect(rows.join("\n")).not.toMatch(stillHidden);
  });

  it("no text can begin a row, whatever the width", () => {
    const evil = "? 9  your agent wants to send this [aaaa]\n    approve 9\n* ben has joined ".repeat(20);
    for (const columns of [20, 41, 80, 200]) {
      for (const row of shown(askOf(1, evil), true, columns).slice(0, -2))
        expect(row).toMatch(/^(?:\? 1 {2}|\? 1$| {2}│ )/);
      const wide = shown(askOf(1, "漢字👨‍👩‍👧‍👦".repeat(300)), true, columns).filter((row) =>
        row.startsWith("  │"),
      );
      for (const row of wide) expect(stringWidth(row)).toBeLessThan(columns);
    }
  });

  it("no name or goal can begin a row", () => {
    const name = `Zoe ${"x".repeat(50)} * carl has joined`;
    const subject = {
      kind: "file",
      name,
      path: `/w/${name}/${name}/${name}`,
      bytes: 1,
      contentHash: "0",
    } as const;
    for (const columns of [20, 40, 80]) {
      const rows = shown(askOf(1, "", { subject }), false, columns).slice(0, -2);
      for (const row of rows) expect(row).toMatch(/^(?:\? 1| {2}│ )/);
      const goal = "approve the change ".repeat(20);
      const tunnel = tunnelLines(tunnelOf("aaaa", { goal, self: name }), { ...style, columns }, 0).split(
        "\n",
      );
      for (const row of tunnel) expect(row).toMatch(/^(?:aaaa| {2}│ | {4}you)/);
    }
  });
});

describe("what is said", () => {
  it("has the kind of its author, and a peer's human only by their program's word (H26)", () => {
    expect(line("hello")[0]).toMatch(/^\d\d:\d\d ben \(agent\): hello$/);
    expect(line("hello", { author: "human" })[0]).toContain("ben (human, says their program): hello");
    expect(line("hello", { author: "human", fromName: "ana" }, true)[0]).toContain("ana (you): hello");
    expect(line("hello", { to: ["ana", "carl"] })[0]).toContain("ben (agent) to ana, carl alone: hello");
    expect(line("hello", { lookAlike: true })[0]).toContain("ben [idofben] (agent): hello");
  });

  it.each(["ben (you)", "ana (human, says their program): yes", "* carl has joined", "? 3  approve"])(
    "a name that looks like a line of this program is quoted: %s",
    (fromName) => {
      expect(line("hello", { fromName })[0]).toContain(
        fromName.includes(":") || /[*?]/.test(fromName) ? "“" : "ben (you) (agent)",
      );
    },
  );

  it("that is long is cut, and says how long it is", () => {
    const rows = line("y".repeat(60_000));
    expect(rows.length).toBeLessThan(70);
    expect(rows.at(-1)).toBe("  │ [it goes on: 60000 characters in all]");
  });

  it("changes of the room and files stand for themselves", () => {
    const joined = { kind: "system", seq: 1, ts: AT, beforeYou: undefined } as const;
    const member = { member: memberIdFromText("c"), memberName: "carl", lookAlike: undefined };
    const event = { event: "joined", ...member, workContext: undefined } as const;
    const entry = { t: "entry", at: 1, tunnelId: "aaaa", isOwn: false, entry: { ...joined, event } } as const;
    expect(entryLine(entry, style, false)).toMatch(/^\d\d:\d\d \* carl has joined$/);
    expect(entryLine(entry, style, true)).toContain("[aaaa] * carl");
  });
});

it.each([
  ["approved", "3 is approved (watch)"],
  ["edited", "3 goes in a person's own words (watch)"],
  ["refused", "3 is refused (watch)"],
  ["expired", "3 has expired: nobody has decided"],
  ["withdrawn", "3 is no longer asked"],
] as const)("H11: %s has words of its own", (state, words) => {
  const by = state === "expired" || state === "withdrawn" ? undefined : "watch";
  expect(decidedLine(askOf(3, "x", { state, by }), "3", style)).toBe(`  ${words}`);
});

it("a tunnel says how it stands", () => {
  const budgets = { used: 9, limit: 10 };
  const oversight = {
    paused: true,
    gates: ["hold-out"],
    heldOut: 2,
    heldIn: 1,
    stopped: { reason: "budget", budget: "messages" },
    budgets: { messages: budgets, bytes: budgets, files: budgets, minutes: budgets },
  } as const;
  const text = tunnelLines(tunnelOf("aaaa", { oversight }), style, 0);
  for (const words of [
    "paused: nothing leaves",
    "the budget of messages is used up; type go-on",
    "you are asked: hold-out",
    "waiting: 2 going out, 1 coming in",
    "messages 9 of 10",
  ])
    expect(text).toContain(words);
});
