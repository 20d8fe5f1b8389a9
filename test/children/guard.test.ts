import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exitDetail, type Child, type ChildOptions } from "../../src/children/child.ts";
import { startChild } from "../../src/children/start.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { childrenOf, gone, isRunning, parentOf, until } from "../support/processes.ts";

/** The guard is a shell script; Windows has another one (watched-child.test.ts). */
const POSIX = process.platform !== "win32";

let root = "";
let started: Child[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-guard-test-"));
});
afterEach(async () => {
  await Promise.all(started.map((child) => child.stop()));
  started = [];
  rmSync(root, { recursive: true, force: true });
});

interface Started {
  readonly child: Child;
  readonly out: () => string;
  readonly err: () => string;
  /** The number that the program has written as its first line. */
  readonly pid: () => Promise<number>;
  readonly ends: () => number;
}

function start(command: readonly string[], changed: Partial<ChildOptions> = {}): Started {
  const [file = "", ...args] = command;
  const said = { out: "", err: "", ends: 0 };
  const reader = (name: "out" | "err") => ({
    read: (chunk: string) => void (said[name] += chunk),
    end: () => void (said.ends += 1),
  });
  const child = startChild({
    file,
    args,
    env: { PATH: process.env["PATH"] ?? "" },
    cwd: root,
    clock: systemClock,
    stdout: reader("out"),
    stderr: reader("err"),
    recordFolders: [join(root, "records")],
    ...changed,
  });
  started.push(child);
  const pid = async (): Promise<number> => {
    await until("it has written its number", () => /^\d+\n/.test(said.out));
    return Number.parseInt(said.out, 10);
  };
  return { child, pid, out: () => said.out, err: () => said.err, ends: () => said.ends };
}

const sh = (script: string): string[] => ["/bin/sh", "-c", script];
/** Writes its number and stays, as one process: a shell that only waited would be another one. */
const SILENT = sh("echo $$; exec sleep 60");
const records = (): string[] => {
  try {
    return readdirSync(join(root, "records"));
  } catch {
    return [];
  }
};

describe.runIf(POSIX)("a guarded child", () => {
  it.each([
    ["exit 0", { code: 0 }],
    ["exit 3", { code: 3 }],
    ["exit 126", { code: 126 }],
    ["exit 127", { code: 127 }],
    ["exit 255", { code: 255 }],
    ["kill -KILL $$", { signal: "SIGKILL" }],
    ["kill -TERM $$", { signal: "SIGTERM" }],
    ["kill -INT $$", { signal: "SIGINT" }],
    ["kill -SEGV $$", { signal: "SIGSEGV" }],
  ])("that ends by `%s` is reported exactly", async (script, exit) => {
    const { child } = start(sh(script));
    expect(await child.exited).toEqual(exit);
    expect(child.exit()).toEqual(exit);
    expect(exitDetail(exit)).toMatch(/^(?:exit code|ended by) \w+$/);
    expect(records()).toEqual([]);
  });

  it("has the guard for its parent, and no descriptor that a child of this process would not have", async () => {
    const { child, pid, out } = start(sh("echo $$; ls /proc/self/fd 2>/dev/null; exec sleep 60"));
    const guard = parentOf(await pid());
    expect(parentOf(guard)).toBe(process.pid);
    if (process.platform === "linux") {
      const direct = execFileSync("/bin/ls", ["/proc/self/fd"], { encoding: "utf8" });
      await until("all is listed", () => out().split("\n").length > direct.split("\n").length);
      expect(out().replace(/^.*\n/, "")).toBe(direct);
    }
    await child.stop();
    await gone(guard);
    expect(childrenOf(guard)).toEqual([]);
  });

  it("is given its environment, its arguments and its folder as they are, and no input", async () => {
    const env = { PATH: process.env["PATH"] ?? "", grace: "mine", HOME: "a b\n$(id)", _x: "'\"" };
    const script =
      'const { env, argv } = process; process.stdin.on("end", () => console.log(JSON.stringify({ env, args: argv.slice(1), cwd: process.cwd() }))).resume()';
    const args = ["", "$HOME `id` $(id)", "*", "-n", "a'b\"c\nd", "exit"];
    const { child, out } = start([process.execPath, "-e", script, "--", ...args], { env });
    expect(await child.exited).toEqual({ code: 0 });
    const seen: unknown = JSON.parse(out());
    expect(seen).toMatchObject({ env, args });
    expect(JSON.stringify(seen)).not.toContain("tunnel_guard");
  });

  it("that floods both outputs is heard in full and unchanged before its exit is told", async () => {
    const script =
      'const big = Buffer.alloc(5e6, "äx\\0\\n"); process.stdout.write(big); process.stderr.write(big); process.exitCode = 4';
    const { child, out, err, ends } = start([process.execPath, "-e", script]);
    expect(await child.exited).toEqual({ code: 4 });
    const whole = Buffer.alloc(5e6, "äx\0\n").toString();
    expect([out() === whole, err() === whole, ends()]).toEqual([true, true, 2]);
  });

  it("that closes its output and lives on is not taken for ended, and is stopped at once", async () => {
    const { child, pid } = start(sh("echo $$; exec sleep 60 >&- 2>&-"));
    const number = await pid();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([child.exit(), isRunning(number)]).toEqual([undefined, true]);
    const before = Date.now();
    await child.stop();
    expect(Date.now() - before).toBeLessThan(1_500);
    expect(await child.exited).toEqual({ signal: "SIGTERM" });
  });

  it("that ignores SIGTERM is killed after the grace period", async () => {
    const { child, pid } = start(sh('trap "" TERM; echo $$; while :; do sleep 0.1; done'));
    await pid();
    const before = Date.now();
    await child.stop();
    expect(Date.now() - before).toBeGreaterThan(1_500);
    expect(await child.exited).toEqual({ signal: "SIGKILL" });
  });

  it("whose own child holds the output open ends all the same", async () => {
    const { child, pid } = start(sh("sleep 5 & echo $!; exit 6"));
    const inner = await pid();
    expect(await child.exited).toEqual({ code: 6 });
    process.kill(inner, "SIGKILL");
  });

  it("does not leave behind what it has started, where that was asked for", async () => {
    const { child, pid } = start(sh("sleep 60 & echo $!; exit 6"), { withDescendants: true });
    const inner = await pid();
    expect(await child.exited).toEqual({ code: 6 });
    await gone(inner);
  });

  it("is stopped before it has begun without ever being started", async () => {
    const { child, out } = start(sh("echo begun; sleep 60"));
    await child.stop();
    expect([await child.exited, out()]).toEqual([{ signal: "SIGTERM" }, ""]);
  });
});

describe.runIf(POSIX)("a program that cannot be started is reported as Node does", () => {
  it.each([
    ["a path to nothing", "/nonexistent/program", "ENOENT"],
    ["a name that is nowhere", "no-such-program-anywhere", "ENOENT"],
    ["a file that is no program", "plain", "EACCES"],
    ["a folder", "folder", "EACCES"],
  ])("%s", async (_, name, code) => {
    writeFileSync(join(root, "plain"), "", { mode: 0o600 });
    mkdirSync(join(root, "folder"));
    const { child } = start([/^(?:plain|folder)$/.test(name) ? join(root, name) : name]);
    expect(await child.exited).toMatchObject({ failure: { code, syscall: expect.stringMatching(/^spawn/) } });
    await child.stop();
  });

  it("a working directory that does not exist", async () => {
    const { child } = start(SILENT, { cwd: join(root, "nowhere") });
    expect(await child.exited).toMatchObject({ failure: { code: "ENOENT" } });
  });

  it("an argument with a zero byte, at once", () => {
    expect(() => start(["/bin/sh", "a\0b"])).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
    );
  });
});

describe.runIf(POSIX)("a guard", () => {
  it("that is killed is noticed: its child is ended and the exit is told", async () => {
    const { child, pid } = start(SILENT);
    const number = await pid();
    process.kill(parentOf(number), "SIGKILL");
    expect(await child.exited).toEqual({ signal: "SIGTERM" });
    await gone(number);
    expect(records()).toEqual([]);
  });

  it("that is killed with its watcher leaves a stubborn child no longer than the grace period", async () => {
    const { child, pid } = start(sh('trap "" TERM; echo $$; while :; do sleep 0.1; done'));
    const number = await pid();
    const guard = parentOf(number);
    for (const one of [...childrenOf(guard).filter((other) => other !== number), guard])
      process.kill(one, "SIGKILL");
    expect(await child.exited).toEqual({ signal: "SIGKILL" });
    await gone(number);
  });

  it("that was suspended does not hold up a stop", async () => {
    const { child, pid } = start(SILENT);
    const number = await pid();
    process.kill(parentOf(number), "SIGSTOP");
    await child.stop();
    expect(await child.exited).toEqual({ signal: "SIGTERM" });
    await gone(number);
  });

  it("leaves a private record without names and arguments while its child runs, and nothing afterwards", async () => {
    const { child, pid } = start([...SILENT, "secret"]);
    const number = await pid();
    const guard = parentOf(number);
    expect(records()).toEqual([`child-${process.pid}-${number}.json`]);
    const [name = ""] = records();
    const file = join(root, "records", name);
    const text = readFileSync(file, "utf8");
    expect(JSON.parse(text)).toMatchObject({
      server: { pid: process.pid },
      guard: { pid: guard },
      child: { pid: number },
    });
    expect(text).not.toMatch(/secret|sleep|sh/);
    expect([statSync(file).mode & 0o777, statSync(join(root, "records")).mode & 0o777]).toEqual([
      0o600, 0o700,
    ]);
    await child.stop();
    expect(() => statSync(join(root, "records"))).toThrow("ENOENT");
  });

  it("is done without where it cannot run, and the child with it where it may have no record", async () => {
    const { TMPDIR } = process.env;
    try {
      // Another folder is taken in place of one that is not there.
      process.env["TMPDIR"] = join(root, "nowhere");
      const guarded = start(SILENT);
      expect(parentOf(parentOf(await guarded.pid()))).toBe(process.pid);
      await guarded.child.stop();
      process.env["TMPDIR"] = deepest(root);
      const { child, pid } = start(SILENT);
      expect(parentOf(await pid())).toBe(process.pid);
      await child.stop();
    } finally {
      if (TMPDIR === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = TMPDIR;
    }
    writeFileSync(join(root, "file"), "");
    const { child, pid } = start(SILENT, { recordFolders: [join(root, "file", "x")] });
    expect(parentOf(parentOf(await pid()))).toBe(process.pid);
    await child.stop();
  });
});

/** A folder that can be written to, in which no name has room. */
function deepest(folder: string): string {
  return [200, 50, 10, 5].reduce((deep, length) => {
    for (;;) {
      const deeper = join(deep, "x".repeat(length));
      try {
        mkdirSync(deeper);
      } catch {
        return deep;
      }
      deep = deeper;
    }
  }, folder);
}
