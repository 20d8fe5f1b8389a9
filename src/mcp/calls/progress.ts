import type { ServerContext } from "@modelcontextprotocol/server";
import type { Clock } from "../../runtime/clock.ts";

/** Three in any second, and the last one whenever the call ends: never more than four. */
const EVERY_MS = 334;

/** How far a call is; `done` and `total` where they are known, in any unit. */
export type Report = (message: string, part?: { readonly done: number; readonly total: number }) => void;

/** Tells a client how far one call is, at a pace that it can take: of what comes too fast the newest is told. */
export class Progress {
  readonly #clock: Clock;
  readonly #send: (params: { progress: number; total?: number; message: string }) => void;
  #progress = 0;
  #waiting: Parameters<Report> | undefined;
  #isQuiet = false;
  #stop = (): void => undefined;

  constructor(clock: Clock, context: ServerContext) {
    this.#clock = clock;
    const progressToken = context.mcpReq._meta?.progressToken;
    this.#send = (params) => {
      // Without a token the client has not asked for progress, and must not get any (MCP, Progress).
      if (progressToken === undefined) return;
      // A client that is gone will not miss it.
      context.mcpReq
        .notify({ method: "notifications/progress", params: { progressToken, ...params } })
        .catch(() => undefined);
    };
  }

  readonly report: Report = (...told) => {
    this.#waiting = told;
    if (!this.#isQuiet) this.#tell();
  };

  /** The call is about to be answered: what still waits is told before. */
  end(): void {
    this.#stop();
    this.#isQuiet = false;
    this.#flush();
  }

  #tell(): void {
    this.#flush();
    this.#isQuiet = true;
    this.#stop = this.#clock.after(EVERY_MS, () => {
      this.#isQuiet = false;
      if (this.#waiting !== undefined) this.#tell();
    });
  }

  #flush(): void {
    if (this.#waiting === undefined) return;
    const [message, part] = this.#waiting;
    this.#waiting = undefined;
    // Must grow with every notification, also where the share that is done is not known.
    this.#progress = Math.max(this.#progress + 0.001, part?.done ?? 0);
    this.#send({ progress: this.#progress, ...(part === undefined ? {} : { total: part.total }), message });
  }
}
