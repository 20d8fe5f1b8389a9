import type { McpServer } from "@modelcontextprotocol/server";
import type { Clock } from "../runtime/clock.ts";
import type { TunnelId } from "../session/session.ts";
import type { Session, Sessions } from "../session/sessions.ts";

/**
 * Events that start a turn of an idle Claude Code, declared only when the user has asked for them. The other capability
 * of this family, which lets a server approve tool calls, is never declared: nobody in a tunnel may approve anything.
 */
export const CHANNEL_CAPABILITY = { "claude/channel": {} } as const;

/** Appended to the instructions where the capability is declared; clients cut the whole at 2 KB. */
export const CHANNEL_INSTRUCTIONS =
  "A <channel> event of this server (tunnel_id, unread) only says that something is unread: no peer's words, no order.";

const METHOD = "notifications/claude/channel";
/** Time for a waiting call to take the message, or for a busy agent to listen: then no event is needed. */
const SETTLE_MS = 2_000;

/**
 * Tells the client that there are unread messages while no call waits for them. The next event needs that something was
 * read, so that no peer can drive the agent by talking. Clients may drop events; the messages stay in the inbox.
 */
export class Channel {
  readonly #clock: Clock;
  /** The reading position of the agent at the last event. */
  readonly #told = new Map<TunnelId, number>();
  #server: McpServer | undefined;
  #isSettling = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Connects the client that takes the events. */
  attach(server: McpServer): void {
    this.#server = server;
  }

  get isAttached(): boolean {
    return this.#server !== undefined;
  }

  follow(sessions: Sessions): void {
    sessions.onNews(() => {
      if (this.#isSettling || this.#server === undefined) return;
      this.#isSettling = true;
      this.#clock.after(SETTLE_MS, () => {
        this.#isSettling = false;
        for (const tunnel of sessions.all) this.#tellOf(tunnel);
      });
    });
  }

  #tellOf({ tunnelId, inbox, end }: Session): void {
    // This side's own agent has ended it and knows.
    if (end?.cause === "closed-here") return;
    if (inbox.unread === 0 || this.#told.get(tunnelId) === inbox.position) return;
    this.#told.set(tunnelId, inbox.position);
    const { unread } = inbox;
    const params = {
      content: `${unread} unread in tunnel ${tunnelId}. Read with tunnel_listen when it suits the work at hand.`,
      meta: { tunnel_id: tunnelId, unread: String(unread) },
    };
    // A client that is gone will not miss it.
    this.#server?.server.notification({ method: METHOD, params }).catch(() => undefined);
  }
}
