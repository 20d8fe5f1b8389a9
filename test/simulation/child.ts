import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How often something happened, by the names that the summary of a soak has for it. */
export type Counts = ReadonlyMap<string, number>;

/**
 * Runs seeds as `npm run soak` does, bundled and in a process of their own: the test runner's modules would make them take
 * twice as long. Rejects with the failing seed and the command that repeats it.
 */
export async function soakInChild(
  first: number,
  { seeds = 0, outages = 0 }: { seeds?: number; outages?: number },
  signal: AbortSignal,
): Promise<Counts> {
  // Every room leaves much behind that is short-lived: a larger nursery costs less to clear.
  const args = [
    "--max-semi-space-size=64",
    "scripts/soak.mjs",
    "--first",
    String(first),
    "--seeds",
    String(seeds),
    "--outages",
    String(outages),
    "--stays",
    "0",
  ];
  const { stdout } = await run(process.execPath, args, { signal }).catch((error: unknown) => {
    const said = error instanceof Error && "stdout" in error ? String(error.stdout) : "";
    throw new Error(said || "the soak did not start", { cause: error });
  });
  const summary = stdout.slice(stdout.lastIndexOf("in all:"));
  const found = summary.matchAll(/([a-z-]+) (\d+)/g);
  return new Map(Array.from(found, ([, name, times]) => [name ?? "", Number(times)]));
}
