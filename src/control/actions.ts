import * as z from "zod/mini";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";
import { wait as pause } from "../runtime/wait.ts";
import { exposedSchema } from "./exposed.ts";
import type { Session, Sessions } from "../session/sessions.ts";

/** The exposures of a server as its endpoint tells of them. */
export interface ExposedHere {
  readonly ports: readonly number[];
  views(): z.infer<typeof exposedSchema>["exposures"];
}

/** Everything that an action may use. `signal` is aborted when the asking command is gone. */
interface ActionContext {
  readonly sessions: Sessions;
  /** What this server exposes, where it has begun to. */
  readonly exposed: () => ExposedHere | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told when a program begins to watch (all tunnels, or the one), with the way to say that it has stopped. */
  readonly watching?: (tunnelId: string | undefined) => () => void;
}

/** A question that other commands of the same user can put to a running server. Its result must fit into JSON. */
export interface Action {
  readonly run: (input: unknown, context: ActionContext) => Promise<unknown>;
}

/** Actions by the name in a request. */
export type Actions = Readonly<Record<string, Action>>;

/** Pairs a schema with the function that takes its output. */
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

/** Counts only: no text, name, goal, link or key leaves the server through these. */
const tunnelSchema = z.object({
  id: z.string(),
  /** `closed-here`: this side's own agent has ended it, and need not be told. */
  status: z.enum(["open", "closed", "closed-here"]),
  unread: z.int(),
  /** How many entries have arrived; see {@link Inbox.arrived}. */
  arrived: z.int(),
});
export const peekSchema = z.object({ tunnels: z.array(tunnelSchema) });

export type TunnelPeek = z.infer<typeof tunnelSchema>;
export type Peek = z.infer<typeof peekSchema>;

/** Longer waits are split, so that a server that hangs is noticed in between. */
export const MAX_WAIT_MS = 10 * 60_000;

/** Looks without reading: no reading position moves, and no member is told that anything was read. */
const peek = defineAction(
  z.strictObject({ tunnelId: z.optional(z.string()) }),
  async ({ tunnelId }, { sessions }): Promise<Peek> => ({ tunnels: look(sessions, tunnelId) }),
);

/**
 * Waits for news, then looks. Without `seen`, news is an unread entry, or that every tunnel is over. With `seen` (counts
 * `arrived` by tunnel) it is an unread entry beyond those counts, or an end.
 */
const wait = defineAction(
  z.strictObject({
    tunnelId: z.optional(z.string()),
    seen: z.optional(z.record(z.string(), z.int())),
    timeoutMs: z.int().check(z.minimum(0), z.maximum(MAX_WAIT_MS)),
  }),
  async ({ tunnelId, seen, timeoutMs }, { sessions, clock, signal, watching }): Promise<Peek> => {
    const until = clock.now() + timeoutMs;
    // Only a program that goes on afterwards keeps counts.
    const stopped = seen === undefined ? undefined : watching?.(tunnelId);
    try {
      for (;;) {
        const tunnels = look(sessions, tunnelId);
        const leftMs = until - clock.now();
        if (isWorthTelling(tunnels, seen) || leftMs <= 0 || signal.aborted) return { tunnels };
        await news(sessions, { clock, signal, leftMs });
      }
    } finally {
      stopped?.();
    }
  },
);

/** Not checked here: a transcript proves itself. */
export const transcriptSchema = z.object({ document: z.unknown() });

/** The transcript of a tunnel, without links and keys, as its own agent could save it. It moves no reading position. */
const transcript = defineAction(
  z.strictObject({ tunnelId: z.optional(z.string()) }),
  async ({ tunnelId }, { sessions }): Promise<z.infer<typeof transcriptSchema>> => {
    const { transcripts } = sessions;
    const json = transcripts.json(transcripts.of(sessions.resolve(tunnelId)));
    return { document: JSON.parse(json) as unknown };
  },
);

export const portsSchema = z.object({ ports: z.array(z.int()) });

/** The ports on which the server listens for members: another one that wants the same is told who has it. */
const ports = defineAction(
  z.strictObject({}),
  async (_, { sessions, exposed }): Promise<z.infer<typeof portsSchema>> => ({
    ports: [...sessions.ports, ...(exposed()?.ports ?? [])],
  }),
);

/** The public addresses of this server, for lists of the same user. */
const exposures = defineAction(
  z.strictObject({}),
  async (_, { exposed }): Promise<z.infer<typeof exposedSchema>> => ({ exposures: exposed()?.views() ?? [] }),
);

export const ACTIONS: Actions = { peek, wait, transcript, ports, exposures };

/** Whether a tunnel has unread entries. Those that came after this side ended it wake nobody. */
export function isUnread({ status, unread }: TunnelPeek): boolean {
  return status !== "closed-here" && unread > 0;
}

/** Whether a tunnel has unread entries beyond `seen`, or has ended. An end that this side made does not count. */
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

/** Resolves when something has happened, the time is up or the asking command is gone. Leaves no timer behind. */
async function news(
  sessions: Sessions,
  { clock, signal, leftMs }: { clock: Clock; signal: AbortSignal; leftMs: number },
): Promise<void> {
  await pause(clock, leftMs, { signal, until: sessions.onNews });
  // A waiting tunnel_listen takes the entry first. Then it is no news any more.
  await new Promise<void>((resolve) => void clock.after(0, resolve));
}
