import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Where systems put it; `CHROMIUM` names another. */
const PLACES = [
  process.env["CHROMIUM"] ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

export function chromium(): string | undefined {
  return PLACES.find((file) => file !== "" && existsSync(file));
}

/** Installs Debian's Chromium where this may and none is there; else says what is missing, and no test runs. */
export default function setup(): void {
  if (chromium() !== undefined) return;
  const hint = "Debian: apt-get install --no-install-recommends chromium";
  if (!existsSync("/usr/bin/apt-get") || process.getuid?.() !== 0)
    throw new Error(`there is no Chromium; CHROMIUM names one that is elsewhere. ${hint}`);
  for (const args of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", "chromium"],
  ]) {
    const { status, stderr } = spawnSync("apt-get", args, {
      encoding: "utf8",
      timeout: 280_000,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
    if (status !== 0)
      throw new Error(`apt-get ${args[0] ?? ""} has failed: ${stderr.slice(-1_000)}. ${hint}`);
  }
  if (chromium() === undefined) throw new Error(`Chromium is still missing. ${hint}`);
}
