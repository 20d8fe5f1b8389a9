import { describe, expect, it } from "vitest";
import { Board } from "../../src/cli/watch/board.ts";
import type { Server } from "../../src/watch/servers.ts";
import { readTyped } from "../../src/cli/watch/commands.ts";
import { askLines, entryLine, isShownWhole } from "../../src/cli/watch/lines.ts";
import { paintFor } from "../../src/cli/io/output.ts";
import { Asks } from "../../src/oversight/asks/asks.ts";
import type { Subject } from "../../src/oversight/asks/subject.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { memberIdFromText } from "../session/support.ts";
import { commandSchema, type AskView } from "../../src/watch/protocol.ts";

/** What a person is shown, and what they can say. */

const server: Server = { name: "one", ask: async () => undefined };
const style = { paint: paintFor(false), columns: 80 };
const DIGEST = "ab".repeat(32);

function askOf(text: string): AskView {
  return {
    ask: 3,
    tunnelId: "t1",
    gates: ["hold-out"],
    because: ["you want to see each message before it leaves"],
    subject: { kind: "message", text, contentHash: "00" },
    digest: DIGEST,
    member: undefined,
    askedAt: "2026-01-01T00:00:00.000Z",
    expiresAt: "2026-01-02T00:00:00.000Z",
    state: "waiting",
    by: undefined,
  };
}

function boardWith(ask: AskView): Board {
  const board = new Board();
  board.heard(server, { t: "ask", ask, isNew: true });
  return board;
}

const typed = (line: string, isShown: boolean) =>
  readTyped(line, {
    board: boardWith(askOf("hello")),
    chosen: undefined,
    wasShown: () => (isShown ? "shown" : "not-whole"),
  });

describe("a decision", () => {
  it("H13: is a word with a number, and nothing shorter", () => {
    expect(typed("approve 3", true)).toMatchObject({
      do: "tell",
      command: { do: "decide", ask: 3, digest: DIGEST, decision: { verdict: "approve" } },
    });
    for (const line of ["y", "a", "3", "ok", "approve", "approve 4", "approve all", "yes 3"])
      expect(() => typed(line, true), line).toThrow();
    expect(typed("", true)).toEqual({ do: "nothing" });
  });

  it("H13, H14: can be a no at once, and a yes only to what was shown whole", () => {
    expect(() => typed("approve 3", false)).toThrow(
      expect.objectContaining({
        code: "input-invalid",
        detail: expect.stringContaining("type show 3 first"),
      }),
    );
    expect(() => typed("edit 3 other words", false)).toThrow();
    expect(typed("refuse 3 not to Ben", false)).toMatchObject({
      command: { decision: { verdict: "refuse", reason: "not to Ben" } },
    });
  });

  it("H17: is for one ask, and the same one later is asked again", () => {
    const asks = new Asks({ clock: systemClock, primitives: nodePrimitives });
    const subject: Subject = { kind: "message", text: "hello", contentHash: "00" };
    const open = () =>
      asks.open({
        tunnelId: "t1",
        gates: ["secret"],
        subject,
        causer: "own-agent",
        settle: () => undefined,
      });
    const [first] = [open()];
    if (first === undefined) throw new Error("it is not asked");
    asks.decide(first.id, first.digest, { verdict: "approve" }, { path: "watch" });
    const second = open();
    expect(second?.now).toEqual({ state: "waiting" });
    expect(second?.digest).toBe(first.digest);
    asks.withdrawAll("t1", "ended");
    const once = { do: "decide", id: 1, ask: 3, digest: DIGEST };
    expect(commandSchema.safeParse({ ...once, decision: { verdict: "approve" } }).success).toBe(true);
    for (const decision of [{ verdict: "approve", remember: true }, { verdict: "always" }])
      expect(commandSchema.safeParse({ ...once, decision }).success).toBe(false);
  });
});

describe("what is shown of an ask", () => {
  it("H14: has invisible characters and those that turn the direction written out", () => {
    const shown = askLines(askOf("pay\u202Eto\u200Bme\u{E0041}\u001B[2J"), { name: "3" }, style, true);
    for (const raw of ["\u202E", "\u200B", "\u{E0041}", "\u001B"]) expect(shown).not.toContain(raw);
    expect(shown).toMatch(/202E/i);
    expect(shown).toMatch(/200B/i);
    expect(shown).toMatch(/E0041/i);
  });

  it("H14: says where it goes on, and counts as whole only when it is", () => {
    const long = askOf(Array.from({ length: 200 }, (_, at) => `line ${at}`).join("\n"));
    expect(isShownWhole(long)).toBe(false);
    const cut = askLines(long, { name: "3" }, style, false);
    expect(cut).not.toContain("line 199");
    expect(cut).toContain("type show 3 before you decide");
    expect(askLines(long, { name: "3" }, style, true)).toContain("line 199");
  });

  it("P11: stands behind a gutter, and hides nothing behind empty lines", () => {
    const text = `fine\n${"\n".repeat(60_000)}approve 3 | send the key\n? 4  your agent wants to send this`;
    const ask = askOf(text);
    expect(isShownWhole(ask)).toBe(true);
    const lines = askLines(ask, { name: "3" }, style, false).split("\n");
    expect(lines.length).toBeLessThan(20);
    for (const forged of ["approve 3 | send the key", "? 4  your agent wants to send this"]) {
      const found = lines.filter((line) => line.includes(forged));
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(/^\s*│/);
    }
    expect(lines.join("\n")).toMatch(/\[6\d{4} empty lines\]|\[59\d{3} empty lines\]/);
  });
});

it("H26: a peer's person is shown as what their program says, and an agent as an agent", () => {
  const said = (author?: "human"): string => {
    const entry = {
      kind: "chat",
      seq: 4,
      ts: "2026-01-01T00:00:00.000Z",
      from: memberIdFromText("i".repeat(43)),
      fromName: "ben",
      lookAlike: undefined,
      intent: undefined,
      author,
      replyTo: undefined,
      to: undefined,
      beforeYou: undefined,
      text: "go on",
    } as const;
    return entryLine({ t: "entry", at: 1, tunnelId: "t1", isOwn: false, entry }, style, false) ?? "";
  };
  expect(said("human")).toContain("ben (human, says their program)");
  expect(said()).toContain("ben (agent)");
});
