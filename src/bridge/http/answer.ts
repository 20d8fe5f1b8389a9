import type { ServerResponse } from "node:http";
import type { Clock } from "../../runtime/clock.ts";
import type { BridgeLimits } from "../protocol/limits.ts";

/** Nothing of an answer is kept by anybody on the way, or read as anything else. */
const FIELDS = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" } as const;

/**
 * The answer to one POST: JSON, or a stream of events once there is something to tell before it, or nothing for a while. Nobody on the
 * way holds such a stream back, and what is not read is bounded.
 */
export class Answer {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #limits: BridgeLimits;
  readonly #takesEvents: boolean;
  #cancelTimer: () => void;
  #isOver = false;

  constructor(
    response: ServerResponse,
    options: { readonly clock: Clock; readonly limits: BridgeLimits; readonly takesEvents: boolean },
  ) {
    const { clock, limits, takesEvents } = options;
    this.#response = response;
    this.#clock = clock;
    this.#limits = limits;
    this.#takesEvents = takesEvents;
    this.#cancelTimer = clock.after(limits.keepAliveMs, () => this.#keepAlive());
    response.once("close", () => {
      this.#isOver = true;
      this.#cancelTimer();
    });
    response.on("error", () => undefined);
  }

  /** Whether nobody can be told anything more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** A message before the last one. It is left out for whoever takes no events, or reads too slowly. */
  tell(message: string): void {
    if (this.#isOver || !this.#takesEvents) return;
    if (this.#response.writableLength > this.#limits.progressBytes) return;
    this.#stream();
    this.#response.write(eventOf(message));
  }

  /** The last message. @param status holds for JSON: a stream has begun with 200 */
  finish(status: number, message: string, fields: Readonly<Record<string, string>> = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    const response = this.#response;
    if (response.headersSent) response.end(eventOf(message));
    else {
      const type = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(message) };
      response.writeHead(status, { ...FIELDS, ...fields, ...type }).end(message);
    }
    // A caller that does not read keeps it here no longer than this.
    this.#cancelTimer = this.#clock.after(this.#limits.stallMs, () => response.destroy());
  }

  #keepAlive(): void {
    if (this.#isOver) return;
    if (this.#takesEvents && this.#response.writableLength === 0) {
      this.#stream();
      this.#response.write(": waiting\n\n");
    }
    this.#cancelTimer = this.#clock.after(this.#limits.keepAliveMs, () => this.#keepAlive());
  }

  #stream(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, {
      ...FIELDS,
      "Content-Type": "text/event-stream",
      "X-Accel-Buffering": "no",
    });
    this.#response.flushHeaders();
  }
}

/** JSON has no line break of its own. */
function eventOf(message: string): string {
  return `event: message\ndata: ${message}\n\n`;
}
