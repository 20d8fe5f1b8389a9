import { expect, it } from "vitest";
import { soakInChild } from "../child.ts";
import { OUTAGES } from "./edge.ts";

/** `npm run soak` runs 1,000. */
const COUNT = 60;

it("[D1] [D5] [D9] [U1] [U3] after outages of a second to ten minutes everybody is back in time, links already handed out included, and everything said arrives once and in order", async ({
  signal,
}) => {
  const counts = await soakInChild(1, { outages: COUNT }, signal);
  expect(counts.get("outages")).toBe(COUNT);
  for (const kind of OUTAGES) expect(counts.get(kind), kind).toBeGreaterThan(0);
  expect(counts.get("links")).toBeGreaterThan(0);
}, 120_000);
