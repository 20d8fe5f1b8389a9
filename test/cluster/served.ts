import { z } from "zod";

const line = z.looseObject({
  time: z.string(),
  event: z.string(),
  name: z.optional(z.string()),
  epoch: z.optional(z.number()),
  lastedMs: z.optional(z.number()),
  end: z.optional(z.string()),
});

/** A visitor whom a node has led to a host. */
export interface Served {
  readonly run: number;
  readonly name: string;
  readonly epoch: number;
  /** When the node decided it, in ms. */
  readonly at: number;
}

/** Visitors in the logs of the runs of nodes, in the order of time. */
export function servedIn(logs: readonly string[]): readonly Served[] {
  const served: Served[] = [];
  for (const [run, log] of logs.entries()) {
    const registered: { name: string; epoch: number; at: number }[] = [];
    for (const text of log.split("\n")) {
      // The last line of a node that was killed may be half a line.
      if (!text.endsWith("}")) continue;
      const { time, event, name = "", epoch = 0, lastedMs = 0, end } = line.parse(JSON.parse(text));
      const at = Date.parse(time) - lastedMs;
      if (event === "registered") registered.push({ name, epoch, at });
      if (event !== "connection" || (end !== "done" && end !== "cut")) continue;
      const host = registered.findLast((other) => other.name === name && other.at <= at);
      if (host !== undefined) served.push({ run, name, epoch: host.epoch, at });
    }
  }
  return served.toSorted((one, two) => one.at - two.at);
}

/** Visitors that were led to an older claim after somebody was led to a newer one. */
export function servedByTheFormer(served: readonly Served[]): readonly Served[] {
  const newest = new Map<string, Served>();
  const wrong: Served[] = [];
  for (const one of served) {
    const before = newest.get(one.name);
    if (before !== undefined && before.epoch > one.epoch && before.at < one.at) wrong.push(one);
    if (before === undefined || before.epoch < one.epoch) newest.set(one.name, one);
  }
  return wrong;
}
