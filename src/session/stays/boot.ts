import { uptime } from "node:os";

/** Where a system gives a start no name, its time stands for it: known to seconds, since clocks are adjusted. */
const TOLERANCE_MS = 5_000;

/**
 * The start of this machine, as far as it can be told from others.
 * @param world of ProcessTable; its first word is the boot, where the system has a name for it
 */
export function bootOf(world: string, now: number, upMs = uptime() * 1_000): string {
  const [boot = ""] = world.split(" ");
  return boot === "" ? `at ${Math.round(now - upMs)}` : boot;
}

/** False where it is not certain. */
export function isSameBoot(one: string, other: string): boolean {
  const [at, another] = [timeOf(one), timeOf(other)];
  if (at === undefined || another === undefined) return one === other && one !== "";
  return Math.abs(at - another) <= TOLERANCE_MS;
}

function timeOf(boot: string): number | undefined {
  const time = /^at (-?\d{1,15})$/.exec(boot)?.[1];
  return time === undefined ? undefined : Number(time);
}
