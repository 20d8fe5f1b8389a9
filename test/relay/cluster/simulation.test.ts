import { describe, expect, test } from "vitest";
import { course, Dice } from "./world.ts";

const SEEDS = Number(process.env["TUNNEL_CLUSTER_SEEDS"] ?? 100);
const FIRST = Number(process.env["TUNNEL_CLUSTER_FIRST_SEED"] ?? 1);

describe("claims and leases in a bad world", () => {
  test(
    `no name has two owners at once, and hosts come back (${SEEDS} seeds)`,
    async () => {
      const failures: string[] = [];
      for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1)
        await course(seed).catch((error: unknown) => failures.push(String(error)));
      expect(failures.slice(0, 10)).toEqual([]);
    },
    Math.max(20_000, SEEDS * 400),
  );

  test("a seed decides its course alone", () => {
    const [one, other] = [new Dice(7), new Dice(7)];
    expect(Array.from({ length: 50 }, () => one.next())).toEqual(
      Array.from({ length: 50 }, () => other.next()),
    );
  });
});
