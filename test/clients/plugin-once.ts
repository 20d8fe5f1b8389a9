import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Puts the plugin and the bundle together once for the whole run, from what build-once.ts has built. */
export default function pluginOnce(): void {
  for (const name of ["plugin.mjs", "mcpb.mjs"]) {
    const script = fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));
    execFileSync(process.execPath, [script], { stdio: "ignore" });
  }
}
