import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Builds the bundle once for the whole run, so that end-to-end tests drive what a user would install. */
export default function buildOnce(): void {
  const script = fileURLToPath(new URL("../../scripts/build.mjs", import.meta.url));
  execFileSync(process.execPath, [script, "--quiet"], { stdio: "inherit" });
}
