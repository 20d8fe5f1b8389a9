import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { plainEnvironment, systemProgram, type Variables } from "./environment.ts";

/**
 * A process for sure: its number, and the moment of its start as its system tells it. Numbers are given out again, so that
 * the number alone never says whom a signal would reach.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly start: string;
}

/** Processes as the system knows them; a test puts its own in its place. */
export interface ProcessTable {
  /** The start of a running process; undefined where none of this number runs, or nothing can be learned of it. */
  startOf(pid: number): Promise<string | undefined>;
  /** The process group of a running process; undefined where there are none, or nothing can be learned of it. */
  groupOf(pid: number): Promise<number | undefined>;
  /** Whether two starts are one moment: Windows tells them more exactly than this process can. */
  isSameStart(one: string, other: string): boolean;
  /** The numbers of processes and their starts mean something within one of these only: a boot of a machine, a container. */
  world(): Promise<string>;
}

/** Whether the very process still runs. */
export async function runs({ pid, start }: ProcessIdentity, table: ProcessTable): Promise<boolean> {
  const now = await table.startOf(pid);
  return now !== undefined && table.isSameStart(now, start);
}

/** @param env where Windows finds its own programs */
export function processTable(platform: string, env: Variables): ProcessTable {
  if (platform === "linux") return linux;
  return platform === "win32" ? windows(env) : posix;
}

const isEqual = (one: string, other: string): boolean => one === other;

const unreadable = (): undefined => undefined;

/** Whether a process is stopped with all its threads, so that it does nothing until it is told to go on. */
export async function isStopped(pid: number, platform: string): Promise<boolean> {
  if (platform !== "linux") {
    const state = await outputOf("/bin/ps", ["-o", "stat=", "-p", String(pid)], { LC_ALL: "C" });
    return state?.startsWith("T") === true;
  }
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const states = await Promise.all(threads.map(async (id) => (await fieldsOf(`${pid}/task/${id}`))[0]));
  return states.length > 0 && states.every((state) => state === "T");
}

/** The fields of a process's own line from the third on. The name before them may hold spaces and parentheses. */
async function fieldsOf(pid: number | string): Promise<string[]> {
  const line = await readFile(`/proc/${pid}/stat`, "utf8").catch(unreadable);
  const fields = line?.slice(line.lastIndexOf(")") + 2).split(" ") ?? [];
  // A zombie has ended: it is only waiting for its parent to ask how.
  return fields[0] === "Z" || fields[0] === "X" ? [] : fields;
}

const linux: ProcessTable = {
  /** Field 22, in ticks since the boot. */
  startOf: async (pid) => (await fieldsOf(pid))[19],
  async groupOf(pid) {
    const [, , group] = await fieldsOf(pid);
    return group === undefined ? undefined : Number(group);
  },
  isSameStart: isEqual,
  async world() {
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(unreadable);
    const container = await readlink("/proc/self/ns/pid").catch(unreadable);
    return `${boot?.trim() ?? ""} ${container ?? ""}`;
  },
};

const PS_TIMEOUT_MS = 5_000;

/** The output of a program of the system; undefined where it fails, as `ps` does for a number without a process. */
function outputOf(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { env, timeout: PS_TIMEOUT_MS, windowsHide: true, shell: false } as const;
    const child = execFile(file, [...args], options, (error, stdout) =>
      resolve(error === null ? stdout.trim() : undefined),
    );
    child.stdin?.end();
  });
}

/** Any other POSIX system. The time is local and its words are the language's, unless both are fixed. */
export const posix: ProcessTable = {
  async startOf(pid) {
    const line = await outputOf("/bin/ps", ["-o", "stat=", "-o", "lstart=", "-p", String(pid)], {
      LC_ALL: "C",
      TZ: "UTC0",
    });
    const [, state, start] = /^(\S+)\s+(\S.*)$/.exec(line ?? "") ?? [];
    return state?.startsWith("Z") === true ? undefined : start;
  },
  async groupOf(pid) {
    const group = Number(await outputOf("/bin/ps", ["-o", "pgid=", "-p", String(pid)], { LC_ALL: "C" }));
    return group > 0 ? group : undefined;
  },
  isSameStart: isEqual,
  // The starts are times of the day, so that another boot cannot repeat them.
  world: () => Promise.resolve(""),
};

/** The start in milliseconds since the epoch, which the parent of a process can tell nearly as well by its own clock. */
const START_ON_WINDOWS =
  "[DateTimeOffset]::new((Get-Process -Id $env:tunnel_child).StartTime).ToUnixTimeMilliseconds()";
const WINDOWS_TOLERANCE_MS = 2_000;

/** Only PowerShell tells it on every Windows: `wmic` is gone from the newest. It is slow, so it is asked in a sweep alone. */
export function windows(env: Variables, ask: typeof outputOf = outputOf): ProcessTable {
  return {
    startOf(pid) {
      const powershell = systemProgram(env, "WindowsPowerShell", "v1.0", "powershell.exe");
      const args = ["-NoProfile", "-NonInteractive", "-Command", START_ON_WINDOWS];
      return ask(powershell, args, { ...plainEnvironment(env, "win32"), tunnel_child: String(pid) });
    },
    groupOf: () => Promise.resolve(undefined),
    isSameStart: (one, other) => Math.abs(Number(one) - Number(other)) <= WINDOWS_TOLERANCE_MS,
    world: () => Promise.resolve(""),
  };
}
