import { afterEach, describe, expect, it } from "vitest";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { atEnd } from "../../support/at-end.ts";
import { until } from "../../support/processes.ts";
import { hostRequest, sessionsOn } from "../../session/support.ts";
import { endSides, joinRequest, linkOf, openRequest, startSide, twoPeople } from "./support.ts";

const CTRL_C = "\u0003";

afterEach(endSides);

describe("two people at their terminals", () => {
  it("see the goal, each other, the same safety code, and where the history is", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    expect(ana.terminal.rows).toContain("Goal: align the API");
    const code = (await ana.seen(/Safety code with ben: /)).trim().replace("ben", "…");
    expect((await ben.seen(/Safety code with ana: /)).replace("ana", "…")).toBe(code);
    await ben.seen(/^You have joined as ben\.$/);
    await ben.seen(/^Goal: align the API \(in the host's words\)$/);
    await ben.seen(/^ {2}ana: host/);
    await ben.seen(/^History: kept in the memory of the programs only/);
    expect(ben.terminal.raw).not.toMatch(/#1\./);
  });

  it("talk both ways, and are told what has been read", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    ana.terminal.type("which page size?\r");
    await ben.seen(/^\d\d:\d\d ana \(human, says their program\): which page size\?$/);
    await ana.seen(/\* ben has read it$/);
    ben.terminal.type("50,");
    ben.terminal.paste(" and\nfollow nextCursor");
    ben.terminal.type("\r");
    await ana.seen(/^\d\d:\d\d ben \(human, says their program\): 50, and$/);
    await ana.seen(/^ {2}│ follow nextCursor$/);
    await ben.seen(/\* ana has read it$/);
    expect(ana.terminal.rows.at(-1)).toBe("ana>");
  });

  it("what comes in leaves alone what is being typed, and the printed counts as read", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    ben.terminal.type("half a thou");
    ana.terminal.type("wait\r");
    await ben.seen(/ana \(human, says their program\): wait$/);
    expect(ben.terminal.rows.at(-1)).toBe("ben> half a thou");
    expect(ben.sessions.open[0]?.inbox).toMatchObject({ unread: 0, read: 2 });
    ben.terminal.type("ght\r");
    await ana.seen(/ben \(human, says their program\): half a thought$/);
  });

  it("/to says it to those alone, and tells everybody named so", async () => {
    const clock = new FakeClock();
    const { ana, ben } = await twoPeople(clock);
    ana.terminal.type("/invite\r");
    await until("another link", () => (ana.terminal.raw.match(/ws:\S+/g) ?? []).length === 2);
    const link = ana.terminal.raw.match(/ws:\S+/g)?.[1];
    const carl = startSide(joinRequest(link, "carl von b"), { clock });
    await carl.seen(/^carl von b>/);
    await ben.seen(/carl von b has joined/);
    ben.terminal.type("/to CARL von B, ana the key is under the mat\r");
    await carl.seen(
      /ben \(human, says their program; for carl von b, ana alone\): the key is under the mat$/,
    );
    await ana.seen(/alone\): the key is under the mat$/);
    ben.terminal.type("/to ana not for carl\r");
    await ana.seen(/ben \(human, says their program; for ana alone\): not for carl$/);
    ana.terminal.type("for all\r");
    await carl.seen(/ana \(human, says their program\): for all$/);
    expect(carl.terminal.raw).not.toContain("not for carl");
  });

  it("/observer makes a link for somebody who reads along, of whom everybody is told, and who is nobody to talk to", async () => {
    const clock = new FakeClock();
    const { ana, ben } = await twoPeople(clock);
    ana.terminal.type("/observer soon\r");
    await ana.seen(/history is the one other word \(input-invalid\)/);
    ana.terminal.type("\u0015/observer 30\r");
    await until("its link", () => /ws:\S+\.observer/.test(ana.terminal.raw));
    const [joinLink] = /ws:\S+\.observer/.exec(ana.terminal.raw) ?? [];
    const cat = sessionsOn(clock);
    atEnd(() => cat.shutDown());
    const { signal } = new AbortController();
    await cat.join({ joinLink: joinLink ?? "", name: "cat", as: "observer", signal });
    for (const side of [ana, ben]) await side.seen(/\* cat reads along from now on, as an observer/);
    await ana.seen(/Safety code with cat: /);
    ben.terminal.type("/who\r");
    await ben.seen(/^ {2}cat: reads along as an observer, from its arrival on/);
    ben.terminal.type("/to cat psst\r");
    await ben.seen(/\(observer-addressed\)/);
    ana.terminal.type("/remove cat\r");
    await ben.seen(/\* cat was removed by the host/);
  });

  it("a command that is refused says why and comes back to be corrected", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    ana.terminal.type("/to bne hello\r");
    await ana.seen(/nobody else in the tunnel has this name: bne \(member-unknown\)/);
    await ana.seen(/^Use a name as \/who or the event `presence` shows it/);
    expect(ana.terminal.rows.at(-1)).toBe("ana> /to bne hello");
    ana.terminal.type("\u0015/usr/bin is full\r");
    await ana.seen(/there is no command \/usr\/bin;/);
    ana.terminal.type("\u0001/\r");
    await ben.seen(/ana \(human, says their program\): \/usr\/bin is full$/);
    ben.terminal.type("/remove ana\r");
    await ben.seen(/only the host of a tunnel can do this/);
    ben.terminal.type(`\u0015${"x".repeat(70)}\r`);
    await ana.seen(/^ {2}│ x+$|ben \(human, says their program\): x+$/);
  });

  it("a paste over the limit is offered as a file, which the others can fetch", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    ana.terminal.type("see: ");
    ana.terminal.paste("ä\n".repeat(33_000));
    await ana.seen(
      /^The text has 99004 bytes, and a message may have 65536\. Share it as the file pasted-.*\?/,
    );
    ana.terminal.type("n");
    await ana.seen(/^\(what was pasted is not taken\)$/);
    expect(ana.terminal.rows.at(-1)).toBe("ana> see:");
    ana.terminal.type("\u0015");
    ana.terminal.paste("ä\n".repeat(33_000));
    ana.terminal.type("y");
    await ana.seen(/pasted-\d{4}-\d\d-\d\dT[\d-]+\.txt \(96\.7 K\w+\) is offered to ben/);
    await ben.seen(/ana \(human, says their program\): offers pasted-.*\.txt \(96\.7 K\w+\): \/receive/);
    expect(ana.terminal.rows.at(-1)).toBe("ana>");
  });

  it("a line over the limit that was typed and pasted in parts is offered as well, and stays editable", async () => {
    const { ana } = await twoPeople(new FakeClock());
    ana.terminal.paste("ä".repeat(32_768));
    ana.terminal.type("x\r");
    await ana.seen(/^The text has 65537 bytes.*Share it as the file/);
    ana.terminal.type("n");
    expect(ana.terminal.rows.at(-1)).toMatch(/^ä+x$/);
  });

  it("an error stays on the screen with the long text that comes back to be mended", async () => {
    const ana = startSide(openRequest, { clock: new FakeClock(), columns: 40 });
    await ana.seen(/^ana>/);
    ana.terminal.paste("0123456789\n".repeat(3_000));
    ana.terminal.type("\r");
    await ana.seen(/nobody-joined/);
    const { rows } = ana.terminal;
    const at = rows.findLastIndex((row) => row.includes("nobody-joined"));
    expect(rows.length - at).toBeLessThan(20);
    expect(rows.at(-1)).toContain("0123456789");
  });

  it("Ctrl-C or Ctrl-D with nothing typed asks before it ends a room in which others are", async () => {
    const clock = new FakeClock();
    const { ana, ben } = await twoPeople(clock);
    ana.terminal.type("no, wait");
    ana.terminal.type(CTRL_C);
    ana.terminal.type(CTRL_C);
    await ana.seen(/^\(Ctrl-C again to end it for everybody \(1 other is here\)\)$/);
    await clock.advance(5_001);
    ana.terminal.type("\u0004");
    await ana.seen(/^\(Ctrl-D again to end it for everybody \(1 other is here\)\)$/);
    ben.terminal.type(CTRL_C);
    await ben.seen(/^\(Ctrl-C again to leave\)$/);
    ben.terminal.type("still here\r");
    await ana.seen(/ben \(human, says their program\): still here$/);
    ben.terminal.type("/quit\r");
    await ana.seen(/ben left/);
    // Nobody loses anything now.
    ana.terminal.type(CTRL_C);
    expect(await ana.code).toBe(0);
  });

  it("/who, /status and /help tell what there is, in words for people", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    ana.terminal.type("read this\r");
    await ana.seen(/ben has read it/);
    ana.terminal.type("/who\r");
    await ana.seen(/^ {2}ben: has read everything/);
    ana.terminal.type("/status\r");
    await ana.seen(/^ {2}Ends if nobody does anything for 30 minutes$/);
    await ana.seen(/^ {2}Pending invites: none$/);
    ben.terminal.type("/status\r");
    await ben.seen(/^ {2}Connection: up, host heard \d+ s ago$/);
    ana.terminal.type("/help\r");
    await ana.seen(/^ {2}\/remove NAME/);
    ben.terminal.type("/help\r");
    await ben.seen(/^ {2}\/quit/);
    expect(ben.terminal.rows.some((row) => row.includes("/invite"))).toBe(false);
    expect(ana.terminal.raw + ben.terminal.raw).not.toMatch(/tunnel_(?!join:)/);
  });

  it("nobody to hear it is told before it looks sent", async () => {
    const ana = startSide(openRequest, { clock: new FakeClock() });
    await ana.seen(/^ana>/);
    ana.terminal.type("hello?\r");
    await ana.seen(/nobody else is in this tunnel.*\(nobody-joined\)/);
    expect(ana.terminal.rows.at(-1)).toBe("ana> hello?");
  });
});

describe("the end of a chat", () => {
  it("by /quit of a guest is a leave, which the host is told; by Ctrl-D of the host it is over for all", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    ben.terminal.type("bye\r/quit\r");
    expect(await ben.code).toBe(0);
    await ana.seen(/ben \(human, says their program\): bye$/);
    await ana.seen(/\* ben left$/);
    expect(ben.terminal.rows.at(-1)).toBe("You have left.");
    ana.terminal.type("\u0004");
    expect(await ana.code).toBe(0);
    expect(ana.terminal.rows.at(-1)).toBe("You have closed the tunnel.");
    for (const { terminal } of [ana, ben])
      expect([terminal.isRaw, terminal.marksPaste]).toEqual([false, false]);
  });

  it("by the host is told to the guest, who has done nothing wrong", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    ana.terminal.type(CTRL_C);
    ana.terminal.type(CTRL_C);
    expect([await ana.code, await ben.code]).toEqual([0, 0]);
    expect(ben.terminal.rows.at(-1)).toBe("The host has closed the tunnel.");
    expect(ana.exits).toEqual([]);
  });

  it("by removal is no clean one", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    ana.terminal.type("/remove ben\r");
    expect(await ben.code).toBe(1);
    expect(ben.terminal.rows.at(-1)).toBe("The host has removed you from the tunnel.");
    await ana.seen(/ben was removed by the host/);
  });

  it("by a Ctrl-C after the one that left waits for nothing", async () => {
    const { ana, ben } = await twoPeople(new FakeClock());
    // Somebody who never answers: what was said to them is waited for, by a clock that stands still.
    const [tunnel] = ben.sessions.open;
    if (tunnel === undefined) throw new Error("no tunnel");
    Object.assign(tunnel, { say: () => new Promise(() => undefined) });
    ben.terminal.type("hello\r");
    ben.terminal.type(CTRL_C);
    ben.terminal.type(CTRL_C);
    await ben.seen(/Leaving … \(Ctrl-C to leave at once\)/);
    expect(ben.exits).toEqual([]);
    ben.terminal.type(CTRL_C);
    expect(ben.exits).toEqual([130]);
    expect([ben.terminal.isRaw, ben.terminal.marksPaste]).toEqual([false, false]);
    expect(ana.exits).toEqual([]);
  });

  it("while it is still being opened sees that it goes on", async () => {
    const clock = new FakeClock();
    const never = ({ signal }: { signal: AbortSignal }): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("cancelled"))));
    const ana = startSide(openRequest, { clock, sessions: sessionsOn(clock, {}, { direct: never }) });
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(20_000);
    await ana.seen(/still opening, 20 s so far/);
    expect(ana.terminal.rows.filter((row) => row.includes("still opening"))).toHaveLength(2);
    await ana.shutDown();
    await ana.code;
  });

  it("while it is still being opened leaves nothing", async () => {
    const clock = new FakeClock();
    let stopped = false;
    const never = ({ signal }: { signal: AbortSignal }): Promise<never> =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          stopped = true;
          reject(new Error("cancelled"));
        });
      });
    const ana = startSide(openRequest, { clock, sessions: sessionsOn(clock, {}, { direct: never }) });
    await new Promise((resolve) => setImmediate(resolve));
    await ana.shutDown();
    expect(await ana.code).toBe(1);
    expect([stopped, ana.sessions.all, ana.stderr()]).toEqual([true, [], ""]);
  });
});

describe("nobody at the keyboard", () => {
  it("is warned five minutes ahead, stays by pressing a key, and is gone in the end", async () => {
    const clock = new FakeClock();
    const { ana, ben } = await twoPeople(clock);
    const passing = async (minutes: number): Promise<void> => {
      // Pings must cross for real on the way, so the time goes by in steps.
      for (let step = 0; step < minutes * 4; step += 1) await clock.advance(15_000);
    };
    await passing(26);
    await ana.seen(/the tunnel ends in 5 minutes unless somebody does\./);
    await ben.seen(/the tunnel ends in 5 minutes unless somebody does\./);
    ben.terminal.type("x");
    await passing(20);
    expect(ana.sessions.open).toHaveLength(1);
    await passing(11);
    expect([await ana.code, await ben.code]).toEqual([0, 0]);
    expect(ana.terminal.rows.at(-1)).toBe("The tunnel has ended because nobody did anything in it.");
  });
});

describe("what cannot begin", () => {
  it.each([
    ["a link that is none", joinRequest("wss://example.com/nothing"), 2, "link-malformed"],
    ["a goal of two lines", { ...openRequest, goal: "a\nb" }, 2, "goal-invalid"],
    ["a name with a colour in it", { ...openRequest, name: "\u001b[31mana" }, 2, "name-invalid"],
    [
      "an address at which nobody is",
      joinRequest(`ws://127.0.0.1:1/t/${"A".repeat(22)}#1.${"A".repeat(43)}.${"B".repeat(42)}A`),
      1,
      "host-unreachable",
    ],
  ] as const)("%s: the code and the next step on standard error", async (_, request, exit, code) => {
    const side = startSide(request, { clock: new FakeClock() });
    expect(await side.code).toBe(exit);
    expect(side.stderr()).toMatch(new RegExp(`^tunnel-mcp: .* \\(${code}\\)\n {2}[A-Z].*\\.\n$`));
    expect(side.stderr()).not.toContain("#1.A");
  });
});

describe("names and words that lie", () => {
  it("reach the terminal as what they are", async () => {
    const clock = new FakeClock();
    const host = sessionsOn(clock);
    const { hosting, invites } = await host.host({ ...hostRequest("goal"), name: "ana" });
    const ben = startSide(joinRequest(invites[0]?.joinLink), { clock, columns: 60 });
    await ben.seen(/^ben>/);
    await hosting.say({ text: `ok\n12:00 * ana has left${" ".repeat(40)}12:01 carl: hello\u202etxt.exe` });
    await ben.seen(/\\u\{202E\}/);
    const rows = ben.terminal.rows.slice(
      ben.terminal.rows.findIndex((row) => row.includes("ana: ok")) + 1,
      -1,
    );
    expect(rows.length).toBeGreaterThan(1);
    for (const row of rows) expect(row).toMatch(/^ {2}│ /);
    await host.shutDown();
    expect(await ben.code).toBe(0);
  });
});

it("without a terminal the same chat goes line by line, and the end of the lines is the wish to leave", async () => {
  const clock = new FakeClock();
  const ana = startSide(openRequest, { clock });
  const ben = startSide(joinRequest(undefined), { clock, plain: true });
  ben.write(await linkOf(ana));
  ben.write("hello from a pipe");
  await ben.seen(/^\d\d:\d\d \* ana has read it$/);
  await ana.seen(/ben: hello from a pipe$/);
  ben.write("/quit");
  expect(await ben.code).toBe(0);
  expect(ben.terminal.raw).not.toContain("\u001b");
});
