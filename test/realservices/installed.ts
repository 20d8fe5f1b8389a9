import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { missing, PROGRAMS } from "./programs.ts";

/** Packages that start a service of their own must not do so here. */
const ENV = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };

/** Installs what is missing where this may, on Debian as root; else says what is missing, and no test runs. */
export default function setup(): void {
  install(Object.keys(PROGRAMS).filter((name) => name !== "nats-server"));
}

export function install(programs: readonly string[]): void {
  const packages = [...new Set(missing(programs).map((name) => PROGRAMS[name]))];
  if (packages.length === 0) return;
  const hint = `Debian: apt-get install --no-install-recommends ${packages.join(" ")}`;
  if (!existsSync("/usr/bin/apt-get") || process.getuid?.() !== 0)
    throw new Error(`these programs are missing: ${missing(programs).join(", ")}. ${hint}`);
  for (const args of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", ...packages],
  ]) {
    const { status, stderr } = spawnSync("apt-get", args, { encoding: "utf8", timeout: 280_000, env: ENV });
    if (status !== 0)
      throw new Error(`apt-get ${args[0] ?? ""} has failed: ${stderr.slice(-1_000)}. ${hint}`);
  }
  const left = missing(programs);
  if (left.length > 0) throw new Error(`still missing: ${left.join(", ")}. ${hint}`);
}
