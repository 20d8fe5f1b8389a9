import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { notifyPerson } from "../../src/app/notifier.ts";
import { DEFAULT_LIMITS } from "../../src/oversight/bounds/budgets.ts";
import type { Gate } from "../../src/oversight/gates/gates.ts";
import { Overseer } from "../../src/oversight/overseer.ts";
import { nodePrimitives as primitives } from "../../src/runtime/primitives.ts";
import { handClock } from "../cli/support.ts";
import { isRunning, until } from "../support/processes.ts";

let folder: string;
const ends: (() => Promise<void>)[] = [];
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), "tunnel notify-"))));
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Writes down each call of it: its arguments, and the names of its environment. */
const NOTES = `
const { appendFileSync } = require("node:fs");
const [file, ...args] = process.argv.slice(2);
appendFileSync(file, JSON.stringify({ args, env: Object.keys(process.env) }) + "\\n");
`;
/** Says that it is there, and stays whatever it is told. */
const HANGS = `
process.on("SIGTERM", () => undefined);
require("node:fs").writeFileSync(process.argv[2], String(process.pid));
setInterval(() => undefined, 1000);
`;

interface Note {
  readonly args: readonly string[];
  readonly env: readonly string[];
}

function setUp(command: (notes: string) => readonly string[], env: Record<string, string> = {}) {
  const clock = handClock();
  const settings = { gates: [], unattended: false, budgets: DEFAULT_LIMITS };
  const overseer = new Overseer({ settings, clock, primitives });
  const notes = path.join(folder, "notes");
  const end = notifyPerson({
    sessions: { overseer },
    clock,
    command: command(notes),
    env: { ...process.env, ...env },
    cwd: folder,
  });
  ends.push(end);
  const ask = (tunnelId: string, gate: Gate): void =>
    void overseer.asks.open({
      tunnelId,
      gates: [gate],
      subject: { kind: "message", text: "hunter2 of ana", contentHash: "00" },
      causer: "own-agent",
      settle: () => undefined,
    });
  const noted = (): Note[] =>
    existsSync(notes)
      ? readFileSync(notes, "utf8")
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as Note)
      : [];
  return { clock, overseer, ask, noted, notes, end };
}

function program(text: string): string {
  const file = path.join(folder, "program.cjs");
  writeFileSync(file, text);
  return file;
}

const writesNotes = (notes: string): readonly string[] => [process.execPath, program(NOTES), notes];

describe("a person's own program", () => {
  it("is told the kind and the tunnel, and nothing else", async () => {
    const { overseer, ask, noted } = setUp(writesNotes, {
      TUNNEL_NAME: "ana",
      tunnel_secret: "x",
      KEPT: "1",
    });
    ask("t1", "secret");
    ask("t2", "budget");
    overseer.warn("t3", ["messages"]);
    overseer.proposed("t4");
    await until("four calls", () => noted().length === 4);
    const args = noted().map((note) => note.args);
    expect(args).toHaveLength(4);
    expect(args).toEqual(
      expect.arrayContaining([
        ["ask", "t1"],
        ["stopped", "t2"],
        ["budget", "t3"],
        ["ask", "t4"],
      ]),
    );
    for (const { env } of noted()) {
      expect(env).toContain("KEPT");
      expect(env.filter((name) => /^TUNNEL_/i.test(name))).toEqual([]);
    }
  });

  it("is run without a shell", async () => {
    const evil = "$(touch pwned) ; touch pwned & `touch pwned` %PATH% *";
    const { ask, noted } = setUp((notes) => [...writesNotes(notes), evil]);
    ask("t1", "secret");
    await until("a call", () => noted().length === 1);
    expect(noted()[0]?.args).toEqual([evil, "ask", "t1"]);
    expect(existsSync(path.join(folder, "pwned"))).toBe(false);
  });

  it("is called once for a kind and a tunnel in five seconds", async () => {
    const { clock, ask, noted } = setUp(writesNotes);
    for (let at = 0; at < 20; at += 1) ask("t1", "secret");
    clock.advance(4_999);
    ask("t1", "not-scanned");
    ask("t2", "secret");
    ask("t1", "budget");
    clock.advance(1);
    ask("t1", "not-scanned");
    await until("four calls", () => noted().length >= 4);
    expect(
      noted()
        .map((note) => note.args.join(" "))
        .toSorted(),
    ).toEqual(["ask t1", "ask t1", "ask t2", "stopped t1"]);
  });

  it("does not stay where it hangs, and holds nobody up", async () => {
    const { clock, ask, notes } = setUp((file) => [process.execPath, program(HANGS), file]);
    const began = performance.now();
    ask("t1", "secret");
    expect(performance.now() - began).toBeLessThan(1_000);
    await until("it runs", () => existsSync(notes) && readFileSync(notes, "utf8") !== "");
    const pid = Number(readFileSync(notes, "utf8"));
    clock.advance(9_999);
    expect(isRunning(pid)).toBe(true);
    clock.advance(1);
    // It has ignored the request to end.
    clock.advance(60_000);
    await until("it is gone", () => !isRunning(pid));
  });

  it("ends with the server", async () => {
    const { clock, ask, notes, end } = setUp((file) => [process.execPath, program(HANGS), file]);
    ask("t1", "secret");
    await until("it runs", () => existsSync(notes) && readFileSync(notes, "utf8") !== "");
    const pid = Number(readFileSync(notes, "utf8"));
    const ended = end();
    clock.advance(60_000);
    await ended;
    expect(isRunning(pid)).toBe(false);
    ask("t2", "secret");
    expect(Number(readFileSync(notes, "utf8"))).toBe(pid);
  });

  it.each([
    ["is not there", ["/no/such/program"]],
    ["is a folder", [tmpdir()]],
    ["has no name", [""]],
    ["cannot be named", ["a\0b"]],
    ["is none", []],
  ])("changes nothing where it %s", async (_, command) => {
    const { overseer, ask, end } = setUp(() => command);
    ask("t1", "secret");
    expect(overseer.asks.waiting).toHaveLength(1);
    await end();
  });
});
