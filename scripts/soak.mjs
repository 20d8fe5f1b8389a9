// Many more seeds of the simulation than the test suite has time for, which runs the first 1,000.
//
//   npm run soak -- --seeds 20000 --outages 1000 --stays 10000 --first 1001
//
// TUNNEL_SOAK_SEEDS, TUNNEL_SOAK_OUTAGES, TUNNEL_SOAK_STAYS and TUNNEL_SOAK_FIRST_SEED say the same. Ends with 1 and the failing seed when one fails.
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    outages: { type: "string" },
    stays: { type: "string" },
    first: { type: "string" },
  },
});

function numberOf(text, what) {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  console.error(`${what} must be a whole number`);
  process.exit(2);
}

const seeds = numberOf(values.seeds ?? process.env.TUNNEL_SOAK_SEEDS ?? "20000", "--seeds");
const outages = numberOf(values.outages ?? process.env.TUNNEL_SOAK_OUTAGES ?? "1000", "--outages");
const stays = numberOf(values.stays ?? process.env.TUNNEL_SOAK_STAYS ?? "10000", "--stays");
const first = numberOf(values.first ?? process.env.TUNNEL_SOAK_FIRST_SEED ?? "1001", "--first");

const folder = mkdtempSync(path.join(tmpdir(), "tunnel-soak-"));
const outfile = path.join(folder, "soak.cjs");
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());
process.setSourceMapsEnabled(true);
try {
  await build({
    entryPoints: [path.join(root, "test/simulation/soak.ts")],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    sourcemap: "inline",
    outfile,
    logLevel: "warning",
  });
  const { soak } = createRequire(import.meta.url)(outfile);
  process.exitCode = await soak({
    first,
    seeds,
    outages,
    stays,
    signal: stop.signal,
    print: (line) => console.log(line),
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
