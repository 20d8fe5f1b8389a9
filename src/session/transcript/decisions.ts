import * as z from "zod/mini";
import { SCHEMAS } from "../../protocol/room/frames.ts";
import { MAX_RECORDS, type AuditRecord } from "../../oversight/audit/audit.ts";
import { GATE_NAMES } from "../../oversight/gates/gates.ts";

/**
 * The exporter's own record of what a person was asked and decided (PROTOCOL J6). Its signature is that of the whole document: it is
 * that side's word, and no part of the room's order.
 */
const { counter, instant } = SCHEMAS;

const ask = counter;
const digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const path = z.enum(["watch", "page", "terminal", "client"]);

/** One record, as it is written down. */
export const auditRecord = z.discriminatedUnion("kind", [
  z.strictObject({
    at: instant,
    kind: z.literal("asked"),
    ask,
    gates: z.array(z.enum(GATE_NAMES)).check(z.minLength(1), z.maxLength(GATE_NAMES.length)),
    digest,
    member: z.optional(z.string().check(z.regex(/^[\w-]{1,32}$/))),
  }),
  z.strictObject({
    at: instant,
    kind: z.literal("decided"),
    ask,
    digest,
    outcome: z.enum(["approved", "edited", "refused", "expired", "withdrawn"]),
    by: z.optional(path),
  }),
  z.strictObject({
    at: instant,
    kind: z.literal("mode"),
    mode: z.enum([
      "pause",
      "resume",
      "hold-out",
      "hold-in",
      "hold-off",
      "go-on",
      "end",
      "remove",
      "revoke",
      "say",
      "sign",
      "not-sign",
    ]),
    by: path,
  }),
  z.strictObject({
    at: instant,
    kind: z.literal("face"),
    face: z.enum(["watch", "page"]),
    change: z.enum(["opened", "closed"]),
  }),
]);

export const auditSchema = z.strictObject({
  /** Older records that were no longer kept. */
  dropped: counter,
  records: z.array(auditRecord).check(z.maxLength(MAX_RECORDS)),
});

export type Audit = z.infer<typeof auditSchema>;

/** As it stands in a document; nothing where nobody was ever asked. */
export function auditOf(trail: {
  readonly records: readonly AuditRecord[];
  readonly dropped: number;
}): Audit | undefined {
  const { records, dropped } = trail;
  // Through JSON, so that what is undefined is absent.
  return records.length === 0
    ? undefined
    : auditSchema.parse(JSON.parse(JSON.stringify({ dropped, records })));
}

/** Why the records cannot be as they were made (J6): each in half a sentence. */
export function problemsOf({ records, dropped }: Audit): string[] {
  const asked = new Map<number, string>();
  const decided = new Set<number>();
  const problems = new Set<string>();
  let last = 0;
  for (const one of records) {
    if (one.at < last) problems.add("a decision in it is earlier than the one before");
    last = one.at;
    if (one.kind === "asked") {
      if (asked.has(one.ask)) problems.add("one number stands for two asks");
      asked.set(one.ask, one.digest);
    }
    if (one.kind !== "decided") continue;
    const digest = asked.get(one.ask);
    // What was asked may be among the older ones.
    if (digest === undefined && dropped === 0) problems.add("something was decided that nobody had asked");
    if (digest !== undefined && digest !== one.digest)
      problems.add("something else was decided than was asked");
    if (decided.has(one.ask)) problems.add("something was decided twice");
    if ((one.outcome === "expired" || one.outcome === "withdrawn") !== (one.by === undefined))
      problems.add("a decision has nobody who made it");
    decided.add(one.ask);
  }
  return [...problems];
}

const OUTCOMES = {
  approved: "approved",
  edited: "approved in other words",
  refused: "refused",
  expired: "not decided in time",
  withdrawn: "withdrawn",
} as const;

const PATHS = {
  watch: "in tunnel-mcp watch",
  page: "on the page",
  terminal: "in the terminal chat",
  client: "in the client's prompt",
} as const;

const MODES = {
  pause: "paused it",
  resume: "ended the pause",
  "hold-out": "held all that leaves",
  "hold-in": "held all that comes in",
  "hold-off": "ended the hold",
  "go-on": "let the agents go on",
  end: "ended the tunnel",
  remove: "removed a member",
  revoke: "took an invite back",
  say: "spoke",
  sign: "signed that the outcome is done",
  "not-sign": "refused to sign the outcome",
} as const;

/** One record as words of this program: nothing of a peer or of a message stands in it. */
export function recordText(one: AuditRecord): string {
  switch (one.kind) {
    case "asked":
      return `${one.ask} was asked (${one.gates.join(", ")}; ${one.digest.slice(0, 16)}…)`;
    case "decided":
      return `${one.ask} was ${OUTCOMES[one.outcome]}${one.by === undefined ? "" : ` ${PATHS[one.by]}`}`;
    case "mode":
      return `the human ${MODES[one.mode]} ${PATHS[one.by]}`;
    case "face":
      return one.face === "page" ? `a page was ${one.change}` : `tunnel-mcp watch was ${one.change}`;
  }
}
