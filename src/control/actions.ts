import * as z from "zod/mini";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";
import { wait as pause } from "../runtime/wait.ts";
import type { Session, Sessions } from "../session/sessions.ts";

/** What an action may use. `signal` is aborted when whoever asked has gone. */
export interface ActionContext {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Something that other commands of the same user can ask a running server. It returns what JSON can hold. */
export interface Action {
  readonly run: (input: unknown, context: ActionContext) => Promise<unknown>;
}

/** By the name that a request gives. */
export type Actions = Readonly<Record<string, Action>>;

/** Pairs a schema with the function that takes what it lets through. */
export function defineAction<Schema extends z.ZodMiniType>(
  schema: Schema,
  run: (input: z.infer<Schema>, context: ActionContext) => Promise<unknown>,
): Action {
  return {
    run: async (input, context) => {
      const parsed = schema.safeParse(input ?? {});
      if (!parsed.success) throw new TunnelError("input-invalid");
      return run(parsed.data, context);
    },
  };
}

/** Counts only: no words, names, goals, links or keys leave the server by looking. */
const tunnelSchema = z.object({
  id: z.string(),
  /** `closed-here`: this side's own agent has ended it, and needs not be told. */
  status: z.enum(["open", "closed", "closed-here"]),
  unread: z.int(),
  /** How often something has come; see {@link Inbox.arrived}. */
  arrived: z.int(),
});
export const peekSchema = z.object({ tunnels: z.array(tunnelSchema) });

export type TunnelPeek = z.infer<typeof tunnelSchema>;
export type Peek = z.infer<typeof peekSchema>;

/** Longer waits are several: a server that hangs is noticed in between. */
export const MAX_WAIT_MS = 10 * 60_000;

/** Looks without reading: no reading position moves, and nobody is told that anything was read. */
export const peek = defineAction(
  z.strictObject({ tunnelId: z.optional(z.string()) }),
  async ({ tunnelId }, { sessions }): Promise<Peek> => ({ tunnels: look(sessions, tunnelId) }),
);

/**
 * Looks when there is something to see. Without `seen`: something unread, or every tunnel over. With `seen`, the counts
 * `arrived` that are known by tunnel: something more than that which is unread, or an end.
 */
export const wait = defineAction(
  z.strictObject({
    tunnelId: z.optional(z.string()),
    seen: z.optional(z.record(z.string(), z.int())),
    timeoutMs: z.int().check(z.minimum(0), z.maximum(MAX_WAIT_MS)),
  }),
  async ({ tunnelId, seen, timeoutMs }, { sessions, clock, signal }): Promise<Peek> => {
    const until = clock.now() + timeoutMs;
    for (;;) {
      const tunnels = look(sessions, tunnelId);
      const leftMs = until - clock.now();
      if (isWorthTelling(tunnels, seen) || leftMs <= 0 || signal.aborted) return { tunnels };
      await news(sessions, { clock, signal, leftMs });
    }
  },
);

/** Checked where it is used: a transcript proves itself. */
export const transcriptSchema = z.object({ document: z.unknown() });

/**
 * The transcript of a tunnel as its own agent could save it, without links and keys, for whoever could read it in that
 * agent's client as well. Like looking, it moves no reading position.
 */
export const transcript = defineAction(
  z.strictObject({ tunnelId: z.optional(z.string()) }),
  async ({ tunnelId }, { sessions }): Promise<z.infer<typeof transcriptSchema>> => {
    const { transcripts } = sessions;
    const json = transcripts.json(transcripts.of(sessions.resolve(tunnelId)));
    return { document: JSON.parse(json) as unknown };
  },
);

export const ACTIONS: Actions = { peek, wait, transcript };

/** Whether there is something to read in it. What comes after this side has ended it is no reason to wake anybody. */
export function isUnread({ status, unread }: TunnelPeek): boolean {
  return status !== "closed-here" && unread > 0;
}

/** Whether anything unread, or an end, is there that was not known. An end that this side made is none. */
export function isNews(tunnel: TunnelPeek, seen: Readonly<Record<string, number>>): boolean {
  const { id, status, arrived } = tunnel;
  return arrived > (seen[id] ?? 0) && (status === "closed" || isUnread(tunnel));
}

function isWorthTelling(tunnels: readonly TunnelPeek[], seen: Readonly<Record<string, number>> | undefined) {
  if (seen !== undefined) return tunnels.some((tunnel) => isNews(tunnel, seen));
  return tunnels.some(isUnread) || tunnels.every(({ status }) => status !== "open");
}

/** @throws {TunnelError} tunnel-unknown */
function look(sessions: Sessions, tunnelId: string | undefined): TunnelPeek[] {
  const tunnels = tunnelId === undefined ? sessions.all : [sessions.resolve(tunnelId)];
  return tunnels.map((tunnel) => ({
    id: tunnel.tunnelId,
    status: statusOf(tunnel),
    unread: tunnel.inbox.unread,
    arrived: tunnel.inbox.arrived,
  }));
}

function statusOf({ end }: Session): TunnelPeek["status"] {
  if (end === undefined) return "open";
  return end.cause === "closed-here" ? "closed-here" : "closed";
}

/** Resolves when something has happened, the time is up or nobody asks any more; leaves no timer behind. */
async function news(
  sessions: Sessions,
  { clock, signal, leftMs }: { clock: Clock; signal: AbortSignal; leftMs: number },
): Promise<void> {
  await pause(clock, leftMs, { signal, until: sessions.onNews });
  // A tunnel_listen that waits for the same takes it first: then it is no news any more.
  await new Promise<void>((resolve) => void clock.after(0, resolve));
}
