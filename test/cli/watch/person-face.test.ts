import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import stringWidth from "string-width";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { CELLS } from "../../support/fake-terminal.ts";
import { settle } from "../../support/fake-tunnel-clock.ts";
import { until } from "../../support/processes.ts";
import { askOf, asked, hello, said, tunnelOf, Watcher } from "./support.ts";

const [CTRL_C, CTRL_D] = ["\u0003", "\u0004"];
let watcher: Watcher;
afterEach(() => watcher.face.quit());

function start(...args: ConstructorParameters<typeof Watcher>): Watcher {
  watcher = new Watcher(...args);
  return watcher;
}

describe("a person at the terminal", () => {
  it("H12: is shown the tunnels and all that waits, and hears a bell for each", () => {
    const { hear, terminal, face } = bound(start());
    hear(hello([tunnelOf()], [askOf(1, "first"), askOf(2, "second")]));
    expect(terminal.rows.join("\n")).toMatch(
      /aaaa {2}align the API[\s\S]*\? 1 {2}[\s\S]*first[\s\S]*\? 2 {2}[\s\S]*second/,
    );
    expect([terminal.bells, terminal.title]).toEqual([2, "(2) tunnel-mcp watch"]);
    face.quit();
    expect(terminal.title).toBe("");
  });

  it("H9: decides with a typed word about the digest that was shown", async () => {
    const w = start();
    w.hear(hello([tunnelOf()]), asked(askOf(1, "may I?")));
    await w.type("approve 1");
    const { digest } = askOf(1, "");
    const command = { do: "decide", ask: 1, digest, decision: { verdict: "approve" } };
    expect(w.server.told).toEqual([command]);
    w.hear(asked(askOf(1, "may I?", { state: "approved", by: "watch" })));
    expect(w.text).toContain("1 is approved (watch)");
    expect(w.terminal.title).toBe("tunnel-mcp watch");
    await w.type("approve 1");
    expect(w.server.told).toHaveLength(1);
  });

  it("H13: keys alone decide nothing, and a yes that was under way when an ask came is none", async () => {
    const w = start();
    w.hear(hello([tunnelOf()]));
    for (const key of ["y", "\r", "1\r", "yes\r", " \r"]) w.terminal.type(key);
    w.terminal.type("approve 1");
    w.hear(asked(askOf(1, "may I?")));
    w.terminal.type("\r");
    await settle();
    expect(w.server.told).toEqual([]);
    expect(w.text).toContain("it came only now");
    w.terminal.type("refuse 1\r");
    await settle();
    expect(w.server.told).toHaveLength(1);
    await w.type("approve 1");
    expect(w.server.told).toHaveLength(2);
  });

  it("H14: says yes to a long one only after `show`", async () => {
    const w = start();
    w.hear(hello([tunnelOf()], [askOf(1, "word\n".repeat(500))]));
    await w.type("approve 1");
    expect(w.server.told).toEqual([]);
    await w.type("show 1");
    await w.type("approve 1");
    expect(w.server.told).toHaveLength(1);
  });

  it("keeps the line that is being typed whole below what comes", async () => {
    const w = start(60);
    w.hear(hello([tunnelOf()]));
    w.terminal.type("say half a th");
    w.hear(said("hello\nthere"), asked(askOf(1, "may I?")));
    expect(w.terminal.rows.at(-1)).toBe("watch> say half a th");
    await w.type("ought");
    expect(w.server.told).toEqual([{ do: "say", tunnelId: "aaaa", text: "half a thought" }]);
  });

  it("gets words for somebody back when they could not be sent, and a decision never", async () => {
    const w = start();
    w.hear(hello([tunnelOf()], [askOf(1, "may I?")]));
    w.server.answer = () => Promise.reject(new TunnelError("member-unknown"));
    await w.type("say to bne: hello");
    expect(w.terminal.rows.at(-1)).toBe("watch> say to bne: hello");
    w.terminal.type(CTRL_C);
    await w.type("approve 1");
    expect(w.terminal.rows.at(-1)).toBe("watch>");
  });

  it("is told what went wrong, and never what they typed by mistake", async () => {
    const w = start();
    w.hear(hello([tunnelOf()]));
    await w.type("hunter2 is my password");
    const [typed, ...after] = w.terminal.rows.slice(
      w.terminal.rows.findIndex((row) => row.includes("hunter2")),
    );
    expect(typed).toBe("watch> hunter2 is my password");
    expect(after.join("\n")).not.toContain("hunter2");
    expect(after.join("\n")).toContain("there is no such command");
  });

  it("finds every command in help, and uses lists of what there is", async () => {
    const w = start(120);
    await w.type("tunnels");
    await w.type("asks");
    expect(w.text).toContain("No tunnel is open.");
    expect(w.text).toContain("Nothing waits for you.");
    w.hear(hello([tunnelOf()], [askOf(1, "may I?")]));
    await w.type("help");
    expect(w.text).toContain("approve N");
    await w.type("tunnels");
    await w.type("asks");
    expect(w.terminal.rows.filter((row) => row.startsWith("? 1")).length).toBe(2);
  });

  it("who has two servers names the tunnel, and loses nothing of the other when one goes", async () => {
    const w = start(120);
    w.hear(hello([tunnelOf()], [askOf(1, "a")]));
    w.face.hear(w.other, hello([tunnelOf("bbbb")], [askOf(1, "b", { tunnelId: "bbbb" })]));
    await w.type("say hello");
    expect(w.text).toContain("use TUNNEL: aaaa, bbbb");
    w.terminal.type(CTRL_C);
    await w.type("use b");
    await w.type("say hello");
    expect(w.other.told).toEqual([{ do: "say", tunnelId: "bbbb", text: "hello" }]);
    await w.type("approve 1");
    expect(w.text).toContain("1@aaaa, 1@bbbb");
    w.face.gone(w.other);
    expect(w.text).toContain("[bbbb] has gone with its server, and so has what waited.");
    expect(w.terminal.title).toBe("(1) tunnel-mcp watch");
    await w.type("say hello");
    expect([w.server.told, w.other.told.length]).toEqual([[], 1]);
    w.terminal.type(CTRL_C);
    await w.type("approve 1");
    expect(w.server.told).toHaveLength(1);
    // It comes again, with what waits then.
    w.face.hear(w.other, hello([tunnelOf("bbbb")], [askOf(2, "c", { tunnelId: "bbbb" })]));
    await w.type("approve 2");
    expect(w.other.told).toHaveLength(2);
  });

  it("P13: is told when another view opens, what is held, and when a tunnel ends", () => {
    const w = start(120);
    w.hear(hello([tunnelOf()]), { t: "faces", face: "watch", count: 2, change: "opened" });
    expect(w.text).toContain("Another view of this server was opened: 2 are open.");
    const stopped = { reason: "loop", loop: "repetition" } as const;
    w.hear({ t: "tunnel", tunnel: tunnelOf("aaaa", { oversight: { ...tunnelOf().oversight, stopped } }) });
    expect(w.text).toContain("the agents repeat themselves; type go-on");
    w.hear({ t: "warning", tunnelId: "aaaa", budgets: ["messages"] });
    expect(w.text).toContain("[aaaa] four fifths are used: messages");
    w.hear({
      t: "tunnel",
      tunnel: tunnelOf("aaaa", { ended: { cause: "idle", because: "nobody did anything" } }),
    });
    expect(w.text).toContain("[aaaa] is over: nobody did anything");
  });

  it("leaves a server of another version alone", () => {
    const w = start(120);
    w.face.isOther(w.server, "9.9\u001b[2J");
    expect(w.text).toContain("runs version 9.9\\u{1B}[2J");
  });

  it.each([
    ["quit", "quit\r"],
    ["Ctrl-C", CTRL_C],
    ["Ctrl-D", CTRL_D],
  ])("leaves with %s: the terminal and its title are as before", async (_what, keys) => {
    const w = start();
    w.hear(hello([tunnelOf()], [askOf(1, "may I?")]));
    expect(w.terminal.isRaw).toBe(true);
    w.terminal.type(keys);
    await settle();
    expect([w.isDone, w.terminal.isRaw, w.terminal.title]).toEqual([true, false, ""]);
    const { length } = w.terminal.raw;
    w.hear(said("late"));
    w.face.quit();
    expect(w.terminal.raw.slice(length)).toBe("");
    expect(w.server.told).toEqual([]);
  });

  it("leaves when its input ends", async () => {
    const w = start();
    w.terminal.input.end();
    await until("it has ended", () => w.isDone);
  });
});

describe("a hostile peer", () => {
  it("H30, P14: that says 10,000 things costs a few lines, and hides nothing that is asked", async () => {
    const w = start(80);
    w.hear(hello([tunnelOf()]));
    for (let at = 0; at < 10_000; at += 1) {
      if (at === 5_000) w.hear(asked(askOf(1, "may I?")));
      w.hear(said(`flood ${at}`));
    }
    w.hear(said("mine", { fromName: "ana" }, true));
    await w.clock.advance(6_000);
    const { rows } = w.terminal;
    expect(rows.filter((row) => row.includes("flood")).length).toBeLessThanOrEqual(60);
    expect(rows.length).toBeLessThan(80);
    expect(w.text).toContain("ben has said 9940 more in this time");
    expect(w.text).toContain("may I?");
    expect(w.text).toContain("mine");
    expect(w.terminal.bells).toBe(1);
    expect(w.clock.waiting).toBe(0);
    w.hear(said("and now"));
    expect(w.text).toContain("ben (agent): and now");
  });

  it("that makes asks beyond what is kept is one line", () => {
    const w = start();
    w.hear(hello([tunnelOf()]), { t: "crowded", tunnelId: "aaaa", member: "ben" });
    expect(w.terminal.rows.filter((row) => row.includes("More is asked"))).toHaveLength(1);
  });

  it.each(Object.entries(CELLS))(
    "cannot begin a row with wide characters in a terminal %s",
    (_what, cells) => {
      for (const columns of [24, 40, 79]) {
        const w = new Watcher(columns, {}, cells);
        w.hear(hello([tunnelOf()]));
        w.hear(said("漢字👨‍👩‍👧‍👦🇩🇪".repeat(40)), asked(askOf(1, "🎉 ｗｉｄｅ ".repeat(60))));
        const rows = w.terminal.rows.filter((row) => /[漢字👨🎉ｗ]/u.test(row));
        expect(rows.length).toBeGreaterThan(5);
        for (const row of rows) expect(row).toMatch(/^(?: {2}│ |\d\d:\d\d ben )/);
        w.face.quit();
      }
    },
  );

  it("writes nothing into the terminal but what this program means", async () => {
    const w = start(50);
    w.hear(hello([tunnelOf("aaaa", { goal: "\u001b]0;evil\u0007" })]));
    w.hear(
      said("\u001b[2J\u0007\u0008\u009b31m\r* carl has joined\u202e"),
      asked(askOf(1, "\u001b]0;x\u0007")),
    );
    expect(w.terminal.title).toBe("(1) tunnel-mcp watch");
    expect(w.terminal.bells).toBe(1);
    w.terminal.resize(24);
    w.hear(said("again ".repeat(30)));
    for (const row of w.terminal.rows.slice(-6)) expect(stringWidth(row)).toBeLessThan(24);
    await w.type("asks");
    expect(w.terminal.title).toBe("(1) tunnel-mcp watch");
  });
});

describe("an editor", () => {
  let folder = "";
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  /** It waits for the file `go`, then writes. */
  function editor(code: string): { env: { EDITOR: string }; go: () => void } {
    folder = mkdtempSync(path.join(tmpdir(), "watch-editor-"));
    const [script, go] = [path.join(folder, "edit.cjs"), path.join(folder, "go")];
    writeFileSync(
      script,
      `const fs = require("node:fs"); const file = process.argv.at(-1);
       setInterval(() => { if (fs.existsSync(${JSON.stringify(go)})) { ${code}; process.exit(0); } }, 10);`,
    );
    return { env: { EDITOR: `"${process.execPath}" "${script}"` }, go: () => writeFileSync(go, "") };
  }

  it("has the terminal to itself; what happened meanwhile is shown after it, and its text is sent", async () => {
    const { env, go } = editor('fs.writeFileSync(file, "my own words")');
    const w = start(80, env);
    w.hear(hello([tunnelOf()], [askOf(1, "a rude answer")]));
    await w.type("edit 1");
    const { length } = w.terminal.raw;
    w.hear(said("meanwhile"));
    expect(w.terminal.raw.slice(length)).not.toContain("meanwhile");
    expect(w.terminal.isRaw).toBe(false);
    go();
    await until("it is sent", () => w.server.told.length === 1);
    expect(w.server.told[0]).toMatchObject({
      do: "decide",
      ask: 1,
      decision: { verdict: "edit", text: "my own words" },
    });
    expect(w.text).toContain("meanwhile");
    expect(w.terminal.isRaw).toBe(true);
  });

  it("whose text comes too late does not lose it", async () => {
    const { env, go } = editor('fs.writeFileSync(file, "my own words")');
    const w = start(120, env);
    w.hear(hello([tunnelOf()], [askOf(1, "a rude answer")]));
    w.server.answer = () =>
      Promise.reject(new TunnelError("ask-decided", { detail: "refused in tunnel-mcp watch" }));
    await w.type("edit 1");
    go();
    await until("it is shown", () => w.text.includes("Your words were not sent: my own words"));
    expect(w.text).toContain("refused in tunnel-mcp watch");
  });

  it("that changes nothing sends nothing", async () => {
    const { env, go } = editor("");
    const w = start(80, env);
    w.hear(hello([tunnelOf()], [askOf(1, "an answer")]));
    await w.type("edit 1");
    go();
    await until("it is over", () => w.text.includes("it still waits"));
    expect(w.server.told).toEqual([]);
  });

  it("is ended with this program", async () => {
    const { env } = editor("");
    const w = start(80, env);
    w.hear(hello([tunnelOf()], [askOf(1, "an answer")]));
    await w.type("edit 1");
    w.face.quit();
    expect(w.isDone).toBe(false);
    await until("it is done", () => w.isDone);
    expect(w.server.told).toEqual([]);
  });
});

function bound(w: Watcher) {
  return { hear: w.hear.bind(w), terminal: w.terminal, face: w.face };
}

describe("a tunnel whose program has ended", () => {
  const kept = {
    tunnelId: "aaaa",
    folder: "/home/ana/shop",
    role: "host",
    goal: "align the API",
    members: ["ben"],
    unread: 2,
  } as const;

  it("is shown with its folder, its time and the ways to go on, in place of its end", async () => {
    const w = start(90);
    w.hear(hello([tunnelOf("aaaa")]));
    w.face.kept([{ ...kept, keptUntil: w.clock.now() + 600_000 }]);
    w.face.gone(w.server);
    for (const words of [
      "you host it, with ben; 2 unread",
      "its program has ended, and it is kept for another 10 min; then it is over",
      "to go on, in /home/ana/shop",
      "your agent calls tunnel_join with resume: aaaa",
      "or you type tunnel-mcp resume aaaa",
    ])
      expect(w.text).toContain(words);
    expect(w.text).not.toContain("has gone with its server");
    await w.type("tunnels");
    expect(w.text.match(/or you type tunnel-mcp resume aaaa/g)).toHaveLength(2);
    await w.clock.advance(600_000);
    w.face.kept([]);
    expect(w.text).toContain("[aaaa] is over: nobody has gone on with it in time.");
    await w.type("tunnels");
    expect(w.text).toContain("No tunnel is open.");
  });

  it("is no news twice, and none where it is taken up", () => {
    const w = start();
    const tunnels = [{ ...kept, keptUntil: w.clock.now() + 600_000 }];
    w.face.kept(tunnels);
    w.face.kept([...tunnels]);
    expect(w.text.match(/to go on, in/g)).toHaveLength(1);
    w.face.kept([]);
    expect(w.text).not.toContain("[aaaa] is over");
  });

  it("has a server that has gone without it told as before", () => {
    const w = start();
    w.hear(hello([tunnelOf("aaaa")]));
    w.face.kept([{ ...kept, tunnelId: "bbbb", keptUntil: w.clock.now() + 600_000 }]);
    w.face.gone(w.server);
    expect(w.text).toContain("[aaaa] has gone with its server");
  });

  it("is, where it is the host's, told to the guest's person once, and so is its return", () => {
    const w = start();
    const guest = { role: "member", status: "reconnecting" } as const;
    const away = tunnelOf("aaaa", { ...guest, hostKeptUntil: w.clock.now() + 540_000 });
    w.hear(hello([tunnelOf("aaaa", { ...guest, status: "open" })]));
    for (const tunnel of [tunnelOf("aaaa", guest), away, away]) w.hear({ t: "tunnel", tunnel });
    const line =
      /\[aaaa\] the host is away, and keeps the tunnel for another 9 min: its program has ended\./g;
    expect(w.text.match(line)).toHaveLength(1);
    w.hear({ t: "tunnel", tunnel: tunnelOf("aaaa", { ...guest, status: "open" }) });
    expect(w.text).toContain("[aaaa] the host is back");
  });
});
