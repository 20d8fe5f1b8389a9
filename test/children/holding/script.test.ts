import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CARETAKER_SCRIPT } from "../../../src/children/holding/caretaker-script.ts";
import { Listeners } from "../../../src/transport/listeners.ts";
import { atEnd } from "../../support/at-end.ts";
import { until } from "../../support/processes.ts";

/** Every shell of this machine that could be /bin/sh somewhere. */
const SHELLS = [
  ["/bin/sh"],
  ["/usr/bin/dash"],
  ["/usr/bin/bash", "--posix"],
  ["/usr/bin/busybox", "sh"],
  ["/usr/bin/mksh"],
  ["/usr/bin/ksh"],
  ["/usr/bin/zsh", "--emulate", "sh"],
].filter(([file = ""]) => existsSync(file));

const flags = constants.O_NONBLOCK;

/** A caretaker of a stay with one child, whose ends of the pipes are here. */
async function caretaker(
  [program = "", ...args]: readonly string[],
  {
    seconds = 2,
    listening = false,
    holds = true,
  }: Partial<Record<"listening" | "holds", boolean> & { seconds: number }>,
) {
  const root = mkdtempSync(join(tmpdir(), "tunnel-caretaker-"));
  const stay = join(root, "it's a stay $(id)");
  const child = join(stay, "its child");
  const file = join(stay, "its record");
  mkdirSync(child, { recursive: true, mode: 0o700 });
  writeFileSync(file, "");
  execFileSync(
    "mkfifo",
    ["out", "err", "lead"].map((name) => join(child, name)),
  );
  const leased = listening ? await lease() : undefined;
  const running = spawn(
    program,
    [...args, "-c", CARETAKER_SCRIPT, "caretaker", stay, String(seconds), holds ? child : "", file],
    {
      stdio: ["pipe", "pipe", "ignore", leased?.descriptor ?? "ignore"],
      detached: true,
    },
  );
  const ended = new Promise((resolve) => void running.once("exit", resolve));
  atEnd(async () => {
    if (isThere(running)) process.kill(-(running.pid ?? 0), "SIGKILL");
    await ended;
    rmSync(root, { recursive: true, force: true });
  });
  let answer = "";
  running.stdout?.setEncoding("utf8").on("data", (text: string) => void (answer += text));
  await until("it is ready", () => answer !== "");
  expect(answer).toBe("\n");
  // As its guard has it: open for reading before it is open for writing.
  const lead = openSync(join(child, "lead"), constants.O_RDONLY | flags);
  /** Whether somebody leads the child: without a writer there is the end, and not nothing yet. */
  const isLed = (): boolean => {
    try {
      return readSync(lead, Buffer.alloc(1)) > 0;
    } catch (error) {
      expect(error).toMatchObject({ code: "EAGAIN" });
      return true;
    }
  };
  // The child itself.
  const outputs = ["out", "err"].map((name) => openSync(join(child, name), constants.O_RDWR | flags));
  const endOutput = (): void => outputs.splice(0).forEach((output) => closeSync(output));
  atEnd(() => {
    endOutput();
    closeSync(lead);
  });
  return { running, stay, child, file, isLed, leased, outputs, endOutput };
}

const isThere = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

function lease() {
  const proof = { path: "/", answer: "" };
  const site = { path: "/none", proof, bind: "127.0.0.1", owner: "x", visited: () => undefined };
  return new Listeners().lease(site, 0);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const other = createServer();
    other.once("error", () => resolve(false));
    other.listen({ port, host: "127.0.0.1", exclusive: true }, () => other.close(() => resolve(true)));
  });
}

describe.runIf(process.platform !== "win32").each(SHELLS.map((shell) => [shell.join(" "), shell] as const))(
  "the caretaker in %s",
  { timeout: 30_000 },
  (_name, shell) => {
    it("holds a child and its port for its time, empties its output, and leaves nothing", async () => {
      const { running, stay, isLed, leased, outputs, endOutput } = await caretaker(shell, {
        listening: true,
      });
      expect(isLed()).toBe(true);
      await leased?.release();
      const port = leased?.port ?? 0;
      expect(await isFree(port)).toBe(false);
      running.stdin?.end();
      for (const output of outputs) {
        let left = 300_000;
        await until("its output is read", () => {
          left -= written(output, left);
          return left === 0;
        });
      }
      expect([isLed(), await isFree(port)]).toEqual([true, false]);
      await until("it is led no more", () => !isLed());
      // The child has not ended yet.
      expect([await isFree(port), existsSync(stay), isThere(running)]).toEqual([false, true, true]);
      endOutput();
      await until("it has ended", () => !isThere(running));
      expect([await isFree(port), existsSync(stay), existsSync(`${stay}.over`)]).toEqual([
        true,
        false,
        false,
      ]);
    });

    it("frees a port at once to which nothing leads, and removes the stay all the same", async () => {
      const { running, stay, leased, isLed } = await caretaker(shell, { listening: true, holds: false });
      expect(isLed()).toBe(false);
      await leased?.release();
      expect(await isFree(leased?.port ?? 0)).toBe(false);
      running.stdin?.end();
      await until("the port is free", () => isFree(leased?.port ?? 0));
      expect([isThere(running), existsSync(stay)]).toEqual([true, true]);
      await until("it has ended", () => !isThere(running));
      expect(existsSync(stay)).toBe(false);
    });

    it("touches nothing when its record is gone, since somebody else has the stay", async () => {
      const { running, stay, file, isLed, leased, endOutput } = await caretaker(shell, {
        seconds: 20,
        listening: true,
      });
      await leased?.release();
      rmSync(file);
      running.stdin?.end();
      await until("it is led no more", () => !isLed());
      // Its output is being read by then.
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(await isFree(leased?.port ?? 0)).toBe(false);
      endOutput();
      await until("it has ended", () => !isThere(running));
      expect([isLed(), existsSync(stay), await isFree(leased?.port ?? 0)]).toEqual([false, true, true]);
    });

    it("touches nothing when it is ended by a signal", async () => {
      const { running, child, isLed } = await caretaker(shell, { seconds: 5 });
      running.stdin?.end();
      running.kill("SIGTERM");
      // A shell hears it after the program that it waits for, a second at most.
      await until("it has ended", () => !isThere(running), 6_000);
      await until("it is led no more", () => !isLed());
      expect(existsSync(child)).toBe(true);
    });
  },
);

/** As much as a pipe takes now. */
function written(output: number, length: number): number {
  try {
    return writeSync(output, Buffer.alloc(length));
  } catch (error) {
    expect(error).toMatchObject({ code: "EAGAIN" });
    return 0;
  }
}
