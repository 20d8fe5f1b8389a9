import { onTestFinished } from "vitest";

const ends: (() => unknown)[] = [];
let isPlanned = false;

/** Done after the test, the last one first. */
export function atEnd(end: () => unknown): void {
  ends.push(end);
  if (isPlanned) return;
  // By the test itself: test files share their modules, so an `afterEach` here would belong to the first file alone.
  onTestFinished(endAll, ENDING_MS);
  isPlanned = true;
}

/** One that fails keeps none of the others from being done, and what an end makes is ended, too. */
async function endAll(): Promise<void> {
  const failures: unknown[] = [];
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
    try {
      await end();
    } catch (error) {
      failures.push(error);
    }
  }
  isPlanned = false;
  if (failures.length > 0) throw new AggregateError(failures, "not everything ended as it must");
}

const ENDING_MS = 20_000;
