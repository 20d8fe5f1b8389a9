import type { ServerContext } from "@modelcontextprotocol/server";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { Progress } from "../../src/mcp/calls/progress.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

interface Told {
  readonly at: number;
  readonly message: string;
  readonly progress: number;
}

function watched(token: string | null = "token") {
  const clock = new FakeClock();
  const told: Told[] = [];
  const notify = async ({ params }: { params: { message: string; progress: number } }): Promise<void> => {
    told.push({ at: clock.now(), message: params.message, progress: params.progress });
  };
  const mcpReq = { _meta: token === null ? {} : { progressToken: token }, notify };
  return { clock, told, progress: new Progress(clock, { mcpReq } as unknown as ServerContext) };
}

it("at most four are told in any second, growing, and the last one always, whatever is reported", async () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 700 }),
    done: fc.option(fc.integer({ min: 0, max: 99 })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      const { clock, told, progress } = watched();
      for (const [index, { afterMs, done }] of steps.entries()) {
        await clock.advance(afterMs);
        progress.report(`step ${index}`, done === null ? undefined : { done, total: 99 });
      }
      progress.end();
      for (const { at } of told)
        expect(told.filter((one) => one.at >= at && one.at < at + 1_000).length).toBeLessThanOrEqual(4);
      expect(told.at(-1)?.message).toBe(`step ${steps.length - 1}`);
      const amounts = told.map((one) => one.progress);
      expect(amounts).toEqual([...new Set(amounts)].toSorted((a, b) => a - b));
      const before = told.length;
      await clock.advance(5_000);
      expect(told).toHaveLength(before);
      expect(clock.waiting).toBe(0);
    }),
    { numRuns: 200 },
  );
});

it("the first is told at once, and a slow call's every one", async () => {
  const { clock, told, progress } = watched();
  for (let index = 0; index < 5; index += 1) {
    progress.report(`${index}`);
    expect(told).toHaveLength(index + 1);
    await clock.advance(500);
  }
});

it("a client that has not asked is told nothing", async () => {
  const { clock, told, progress } = watched(null);
  progress.report("x");
  progress.end();
  await clock.advance(1_000);
  expect(told).toEqual([]);
});
