import { PassThrough } from "node:stream";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askLink } from "../../../src/cli/chat/terminal/ask-link.ts";
import { plainScreen, terminalScreen, type Screen } from "../../../src/cli/chat/terminal/screen.ts";
import { FakeTerminal } from "../../support/fake-terminal.ts";
import { settle } from "../../support/fake-tunnel-clock.ts";

const LINK = "wss://a-b-c.example/t/room#1.key.hostkey";
const CTRL = { c: "\u0003", d: "\u0004" };

let terminal: FakeTerminal;
let screen: Screen;
let heard: string[];
let keys: number;

function start(columns = 40): void {
  terminal = new FakeTerminal(columns);
  heard = [];
  keys = 0;
  screen = terminalScreen({
    input: terminal.input,
    output: terminal,
    prompt: "ana> ",
    person: {
      onLine: (text) => void heard.push(text),
      onInterrupt: (key) => void heard.push(`<${key}>`),
      onPaste: (whole) => {
        if (whole.length <= 65_536) return false;
        screen.ask("As a file?", (isYes) => void heard.push(`<file: ${isYes}>`));
        return true;
      },
      onEnd: () => void heard.push("<end>"),
      onActivity: () => void (keys += 1),
    },
  });
}
beforeEach(() => start());
afterEach(() => screen.close());

describe("a line that is being typed", () => {
  it("stays as it is below what comes in", () => {
    terminal.type("half a th");
    screen.print("ben: hello\n  │ again");
    expect(terminal.rows).toEqual(["ben: hello", "  │ again", "ana> half a th"]);
    expect(terminal.cursor).toEqual({ row: 2, column: 14 });
    terminal.type("ought\r");
    expect(heard).toEqual(["half a thought"]);
    expect(terminal.rows.at(2)).toBe("ana> half a thought");
  });

  it("stays as it is when it has grown over several rows, and with the cursor in the middle", () => {
    const long = "one two three four five six seven eight nine ten";
    terminal.type(long);
    terminal.type("\u001b[D".repeat(30));
    const { column } = terminal.cursor;
    screen.print("ben: hello");
    screen.print("ben: again");
    expect(terminal.rows).toEqual(["ben: hello", "ben: again", `ana> ${long.slice(0, 33)}`, long.slice(34)]);
    expect(terminal.cursor).toEqual({ row: 2, column });
    terminal.type("X\r");
    expect(heard).toEqual([`${long.slice(0, 18)}X${long.slice(18)}`]);
  });

  it("is cleared by Ctrl-C; with nothing typed that is the wish to leave", () => {
    terminal.type("no, wait");
    terminal.type(CTRL.c);
    expect(heard).toEqual([]);
    expect(terminal.rows.at(-1)).toBe("ana>");
    terminal.type(CTRL.c);
    expect(heard).toEqual(["<Ctrl-C>"]);
  });

  it("that was refused comes back to be corrected, unless something else is typed by then", () => {
    expect(screen.giveBack("/to bne hello\nthere")).toBe(true);
    terminal.type("!\r");
    expect(heard).toEqual(["/to bne hello\nthere!"]);
    terminal.type("other");
    expect(screen.giveBack("again")).toBe(false);
    expect(terminal.rows.at(-1)).toBe("ana> other");
  });

  it("can be called back with Up", () => {
    terminal.type("first\r");
    terminal.type("\u001b[A");
    terminal.type("!\r");
    expect(heard).toEqual(["first", "first!"]);
  });
});

describe("what is true at this moment only", () => {
  it("is one line above what is being typed, which the next one replaces, however long both are", () => {
    const long = "one two three four five six seven eight nine ten";
    terminal.type(long);
    screen.status("receiving a.csv 1 %");
    const typed = [`ana> ${long.slice(0, 33)}`, long.slice(34)];
    expect(terminal.rows).toEqual(["receiving a.csv 1 %", ...typed]);
    screen.status(`receiving ${"x".repeat(60)}`);
    expect(terminal.rows).toEqual([`receiving ${"x".repeat(28)}…`, ...typed]);
    screen.print("ben: hello");
    expect(terminal.rows).toEqual(["ben: hello", `receiving ${"x".repeat(28)}…`, ...typed]);
    screen.status(undefined);
    expect(terminal.rows).toEqual(["ben: hello", ...typed]);
    terminal.type("!\r");
    expect(heard).toEqual([`${long}!`]);
  });

  it("takes nothing away when a line was sent, and is gone when all is over", () => {
    screen.status("receiving a.csv 1 %");
    terminal.type("hello\r");
    screen.print("ben: hi");
    expect(terminal.rows).toEqual([
      "receiving a.csv 1 %",
      "ana> hello",
      "ben: hi",
      "receiving a.csv 1 %",
      "ana>",
    ]);
    screen.status("receiving a.csv 2 %");
    expect(terminal.rows.slice(-3)).toEqual(["ben: hi", "receiving a.csv 2 %", "ana>"]);
    screen.close();
    screen.status("receiving a.csv 3 %");
    screen.print("You have left.");
    expect(terminal.rows.slice(-2)).toEqual(["ben: hi", "You have left."]);
  });
});

describe("what is pasted", () => {
  it("stays as it is below what comes in, over however many rows", () => {
    const text = "0123456789".repeat(10);
    terminal.type("ab");
    terminal.type("\u001b[D");
    terminal.paste(text);
    screen.print("ben: hello");
    screen.giveBack("not now");
    screen.print("ben: again");
    const typed = `ana> a${text}b`;
    const rows = [0, 39, 78].map((at) => typed.slice(at, at + 39));
    expect(terminal.rows).toEqual(["ben: hello", "ben: again", ...rows]);
    expect(terminal.cursor).toEqual({ row: 4, column: 28 });
    terminal.type("\u0005\u0015");
    screen.giveBack(text);
    screen.print("ben: still");
    expect(terminal.rows[2]).toBe("ben: still");
    expect(terminal.rows[3]).toBe(`ana> ${text.slice(0, 34)}`);
  });

  it("is one message with all its lines, and waits for Enter", () => {
    terminal.type("see: ");
    terminal.paste("line 1\nline 2\n\n  line 4\n");
    expect(heard).toEqual([]);
    expect(terminal.rows).toEqual(["ana> see: line 1⏎line 2⏎⏎  line 4"]);
    terminal.type("\r");
    expect(heard).toEqual(["see: line 1\nline 2\n\n  line 4"]);
  });

  it("is the same in whatever pieces it arrives", () => {
    const sent = "a\u001b[200~b\rc\u001b[201~d\u001b[200~e\r\nf\u001b[201~\r";
    // An Escape that comes alone is the key of that name, and so no beginning of anything.
    for (let size = 2; size <= sent.length; size += 1) {
      start();
      for (let at = 0; at < sent.length; at += size) terminal.type(sent.slice(at, at + size));
      expect(heard).toEqual(["ab\ncde\nf"]);
      screen.close();
    }
  });

  it("loses its colours and other controls, which no message may contain", () => {
    terminal.paste("\u001b[31mred\u001b[39m\u0003\u0007 \u009b1m\tok");
    terminal.type("\r");
    expect(heard).toEqual(["red \tok"]);
  });

  it("tells how many control sequences it has lost", () => {
    terminal.paste("\u001b[1;31mFAIL\u001b[0m a.test.ts\u0007");
    expect(terminal.rows).toEqual([
      "(removed from what was pasted: 3",
      "  control sequences)",
      "ana> FAIL a.test.ts",
    ]);
  });

  it("may be as long as a message may be", () => {
    const text = "word ".repeat(13_000).trim();
    terminal.paste(text);
    terminal.type("\r");
    expect(heard).toEqual([text]);
  });

  it("and never ends cannot keep anybody in", () => {
    terminal.type("\u001b[200~abc");
    terminal.type(CTRL.c);
    expect(heard).toEqual(["<Ctrl-C>"]);
  });

  it("is not needed for a second line: Alt-Enter makes one", () => {
    terminal.type("a");
    terminal.type("\u001b\r");
    terminal.type("b\r");
    expect(heard).toEqual(["a\nb"]);
  });
});

describe("a terminal", () => {
  it("is as it was before when it is closed: no raw mode, no marks, no prompt", () => {
    expect([terminal.isRaw, terminal.marksPaste]).toEqual([true, true]);
    terminal.type("half");
    screen.close();
    expect([terminal.isRaw, terminal.marksPaste, terminal.rows]).toEqual([false, false, []]);
    screen.print("You have left.");
    expect(terminal.rows).toEqual(["You have left."]);
    expect(heard).toEqual([]);
  });

  it("tells of Ctrl-D once, and of every key that somebody is there", () => {
    terminal.type("a");
    terminal.type("\u007f");
    expect(keys).toBe(2);
    terminal.type(CTRL.d);
    expect([heard, terminal.isRaw]).toEqual([["<Ctrl-D>"], true]);
  });

  it("is told of the Escape key at once, and of what comes after it", () => {
    terminal.type("a");
    terminal.type("\u001b");
    terminal.type("[D");
    terminal.type("b\r");
    expect(heard).toEqual(["ba"]);
  });

  it("that goes away is an end, too, and keeps nobody from ending the rest", async () => {
    terminal.isGone = true;
    terminal.input.end();
    await settle();
    expect(heard).toEqual(["<end>"]);
  });
});

describe("without a terminal", () => {
  it("every line is one, and the end of them is told", async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    const lines: string[] = [];
    let ended = (): void => undefined;
    const end = new Promise<void>((resolve) => (ended = resolve));
    const plain = plainScreen({
      lines: createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator](),
      output,
      person: {
        onLine: (text) => void lines.push(text),
        onInterrupt: () => undefined,
        onPaste: () => false,
        onEnd: ended,
        onActivity: () => undefined,
      },
    });
    input.end("one\r\ntwo\nthree");
    await end;
    expect(lines).toEqual(["one", "two", "three"]);
    plain.print("ben: hello");
    expect(String(output.read())).toBe("ben: hello\n");
  });
});

describe("the link that is asked for", () => {
  it.each([
    ["alone", LINK],
    ["as the whole invite", `Let your agent join mine\n\n${LINK}\n\nThe link works once.`],
  ])("pasted %s is taken and never shown", async (_, text) => {
    const fresh = new FakeTerminal();
    const link = askLink(fresh.input, (shown) => void fresh.write(shown), true);
    fresh.paste(text);
    fresh.type("\r");
    // The sessions find the link in it (test/protocol/handshake/invite-text.test.ts).
    expect(await link).toBe(text);
    expect(fresh.raw).not.toMatch(/wss|key|room/);
    expect([fresh.isRaw, fresh.marksPaste]).toEqual([false, false]);
  });

  it.each([
    ["Enter", "\r"],
    ["Ctrl-C", "\u0003"],
    ["Ctrl-D", "\u0004"],
  ])("is nothing after %s", async (_, key) => {
    const fresh = new FakeTerminal();
    const link = askLink(fresh.input, (shown) => void fresh.write(shown), true);
    fresh.type(key);
    expect(await link).toBeUndefined();
    expect(fresh.isRaw).toBe(false);
  });

  it("is found in an invite whose lines come one by one from a terminal that is sent no codes", async () => {
    const fresh = new FakeTerminal();
    const link = askLink(fresh.input, (shown) => void fresh.write(shown), false);
    fresh.paste(`Let your agent join mine\n\n${LINK}\n\nThe link works once.\n`);
    expect(await link).toContain(LINK);
    expect(fresh.raw).not.toMatch(/\p{Cc}\[|wss|key|room/u);
  });

  it("that is not one is left to be refused", async () => {
    const fresh = new FakeTerminal();
    const link = askLink(fresh.input, (shown) => void fresh.write(shown), true);
    fresh.type("nonsense\r");
    expect(await link).toBe("nonsense");
  });
});
