/**
 * Refuses to publish what is not ready for strangers. `npm run release` runs it first; a bare `npm publish` is stopped by
 * `private` in package.json (and would run no script, see .npmrc).
 *
 *   node scripts/check-release.mjs
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { manifestSources } from "./manifest-sources.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Everything that is in the way, one sentence each. */
async function problems() {
  const { pkg, published } = await manifestSources();
  const found = [];
  if (!published)
    found.push(
      `PUBLISHED in src/view/setup/registration.ts is false: is \`${pkg.name}\` on npm this project's own name?`,
    );
  if (pkg.private === true)
    found.push("package.json says `private`: take it out when everything else is ready");
  if (pkg.repository === undefined)
    found.push("package.json has no `repository`, so the MCP registry cannot tell whose server this is");
  const changes = await readFile(path.join(root, "CHANGELOG.md"), "utf8");
  if (!changes.includes(`\n## ${pkg.version}`))
    found.push(`CHANGELOG.md has no section \`## ${pkg.version}\`: name the version under "Unreleased"`);
  // What follows takes seconds, and would only repeat what has been said.
  if (found.length > 0) return found;
  if (!existsSync(path.join(root, "server.json")))
    found.push("there is no server.json: run `npm run manifests` and commit the result");
  for (const script of ["gen-manifests.mjs", "gen-docs.mjs"]) {
    if (!succeeds(path.join(root, "scripts", script), "--check"))
      found.push(`scripts/${script} --check fails`);
  }
  if (!succeeds(path.join(root, "scripts", "check-package.mjs")))
    found.push("scripts/check-package.mjs fails: run it to see why");
  return found;
}

function succeeds(...args) {
  try {
    execFileSync(process.execPath, args, { stdio: "ignore" });
    return true;
  } catch (error) {
    if (typeof error.status === "number") return false;
    throw error;
  }
}

const found = await problems();
for (const problem of found) console.error(`not ready to publish: ${problem}`);
process.exitCode = found.length === 0 ? 0 : 1;
