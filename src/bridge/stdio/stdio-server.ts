import { PassThrough } from "node:stream";
import type { Child, ChildOptions, Exit } from "../../children/child.ts";
import { exitDetail } from "../../children/child.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { settled, wait } from "../../runtime/wait.ts";
import { BridgeRefusal } from "../backend.ts";
import type { BridgeLimits } from "../protocol/limits.ts";
import { BRIDGE_CLIENT, openedLegacy, openedModern, paramsFor, type Opening } from "../protocol/adapt.ts";
import { LEGACY_VERSIONS } from "../protocol/era.ts";
import {
  CODE,
  encodeNotification,
  encodeOutcome,
  encodeRequest,
  failed,
  parseFrame,
  type Fields,
  type Frame,
  type Outcome,
} from "../protocol/frames.ts";
import { idAtTheEnds, LongLines } from "./long-lines.ts";

/** Starts the program with these three streams. */
export type StartServer = (io: Pick<ChildOptions, "stdin" | "stdout" | "stderr">) => Child;

interface Waiting {
  readonly settle: (outcome: Outcome | BridgeRefusal) => void;
  readonly onProgress: ((progress: Fields) => void) | undefined;
  heardAt: number;
}

const ENDED = "the MCP server has ended; call again to start it anew";
const NO_CAPABILITIES = { capabilities: {} } as const;

/**
 * One stdio MCP server, which runs from the beginning. Its calls have ids of the bridge's own, so that those of many clients never
 * meet; whatever ends it answers each that waits. It is asked for nothing but answers: its own requests are refused, and what it tells
 * without being asked is dropped.
 */
export class StdioServer {
  /** How it has opened. @throws {TunnelError} mcp-server-failed, mcp-server-silent, mcp-server-unfit */
  readonly opening: Promise<Opening>;
  /** Resolves when it is gone. */
  readonly ended: Promise<void>;
  readonly #clock: Clock;
  readonly #limits: BridgeLimits;
  readonly #child: Child;
  readonly #input = new PassThrough();
  readonly #lines: LongLines;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #opened: Opening | undefined;
  #exit: Exit | undefined;
  #isStopping = false;
  #stray = { since: 0, lines: 0 };
  #lastWords = "";

  constructor(clock: Clock, limits: BridgeLimits, start: StartServer) {
    this.#clock = clock;
    this.#limits = limits;
    this.#lines = new LongLines(limits);
    this.#child = start({
      stdin: this.#input,
      stdout: { read: (chunk) => this.#read(chunk), end: () => undefined },
      stderr: { read: (chunk) => this.#hear(chunk), end: () => undefined },
    });
    this.ended = this.#child.exited.then((exit) => this.#over(exit));
    this.opening = this.#open();
    // The next caller hears of it.
    this.opening.catch(() => undefined);
  }

  /** Calls that have no answer yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether it takes no calls any more. */
  get isOver(): boolean {
    return this.#isStopping || this.#exit !== undefined;
  }

  /** The end of what it has written on its standard error: for its owner's person alone. */
  get lastWords(): string {
    return this.#lastWords;
  }

  /**
   * Asks it. The answer is its own, or says that there is none.
   * @throws {BridgeRefusal} where it ends, is too late, or says too much
   */
  async call(
    { method, params }: { readonly method: string; readonly params: Fields },
    about: {
      readonly onProgress?: ((progress: Fields) => void) | undefined;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<Outcome> {
    if (this.isOver) throw new BridgeRefusal(ENDED);
    if (this.#input.writableLength > this.#limits.requestBytes)
      throw new BridgeRefusal("the MCP server reads nothing at the moment; call again later", {
        status: 503,
      });
    const { onProgress, signal } = about;
    // A first start may have to fetch the program.
    const idleMs = this.#opened === undefined ? this.#limits.openMs : this.#limits.callIdleMs;
    this.#lastId += 1;
    const id = this.#lastId;
    const era = this.#opened?.era ?? "legacy";
    const told = this.#opened === undefined ? params : paramsFor(era, params, onProgress && id);
    const outcome = await new Promise<Outcome | BridgeRefusal>((resolve) => {
      const startedAt = this.#clock.now();
      const giveUp = (why: string): void => {
        if (this.#waiting.get(id) === undefined) return;
        // `initialize` must not be cancelled (MCP, cancellation).
        if (this.#opened !== undefined)
          this.#write(encodeNotification({ method: "notifications/cancelled", params: { requestId: id } }));
        settle(new BridgeRefusal(why));
      };
      const abort = (): void => giveUp("the call was cancelled");
      const waiting: Waiting = { settle, onProgress, heardAt: startedAt };
      const look = (): void => {
        const left = Math.min(waiting.heardAt + idleMs, startedAt + this.#limits.callMs) - this.#clock.now();
        if (left <= 0) return giveUp("the MCP server has not answered in time");
        cancelTimer = this.#clock.after(left, look);
      };
      let cancelTimer = this.#clock.after(idleMs, look);
      this.#waiting.set(id, waiting);
      signal?.addEventListener("abort", abort);
      const waitingOf = this.#waiting;
      function settle(how: Outcome | BridgeRefusal): void {
        waitingOf.delete(id);
        cancelTimer();
        signal?.removeEventListener("abort", abort);
        resolve(how);
      }
      this.#write(encodeRequest({ id, method, params: told }));
      if (signal?.aborted === true) abort();
    });
    if (outcome instanceof BridgeRefusal) throw outcome;
    return outcome;
  }

  /** Closes its input, and ends it with all that it has started where it does not follow. Idempotent. */
  async stop(): Promise<void> {
    this.#refuseAll(ENDED);
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#input.end();
      await wait(this.#clock, this.#limits.goodbyeMs, { until: settled(this.#child.exited) });
    }
    await this.#child.stop();
    await this.ended;
  }

  // --- opening ---

  async #open(): Promise<Opening> {
    const isLate = wait(this.#clock, this.#limits.openMs, { until: settled(this.#child.exited) });
    const opening = await Promise.race([this.#handshake(), isLate.then(() => undefined)]).catch(
      (thrown: unknown) => thrown,
    );
    if (isOpening(opening)) {
      this.#opened = opening;
      if (opening.era === "legacy")
        this.#write(encodeNotification({ method: "notifications/initialized", params: {} }));
      return opening;
    }
    const exit = this.#exit ?? this.#child.exit();
    void this.stop();
    if (opening instanceof TunnelError) throw opening;
    if (exit?.failure !== undefined)
      throw new TunnelError("mcp-server-failed", { detail: "its command could not be started" });
    if (exit !== undefined) throw new TunnelError("mcp-server-failed", { detail: exitDetail(exit) });
    if (opening instanceof BridgeRefusal)
      throw new TunnelError("mcp-server-unfit", { detail: opening.message });
    throw new TunnelError("mcp-server-silent");
  }

  /** `initialize` first: servers of the older eras may take any other opening badly, and those of both answer it. */
  async #handshake(): Promise<Opening> {
    const [newest] = LEGACY_VERSIONS;
    const legacy = await this.call({
      method: "initialize",
      params: { protocolVersion: newest, ...NO_CAPABILITIES, clientInfo: BRIDGE_CLIENT },
    });
    if ("result" in legacy) {
      const opening = openedLegacy(legacy.result);
      if (opening === undefined) throw new TunnelError("mcp-server-unfit");
      return opening;
    }
    const modern = await this.call({
      method: "server/discover",
      params: paramsFor("modern", {}, undefined),
    });
    const opening = "result" in modern ? openedModern(modern.result) : undefined;
    if (opening === undefined) throw new TunnelError("mcp-server-unfit");
    return opening;
  }

  // --- its output ---

  #read(chunk: string): void {
    for (const line of this.#lines.push(chunk)) {
      if (line.kind === "line") this.#line(line.text);
      else if (line.kind === "endless") this.#lose("its answer has no end");
      else this.#tooLong(line);
    }
  }

  #line(text: string): void {
    const frame = text.trim() === "" ? undefined : parseFrame(text);
    if (frame === undefined || frame.kind === "bad" || !this.#take(frame)) this.#strayed();
  }

  /** @returns whether it is an answer that somebody waited for */
  #take(frame: Frame): boolean {
    switch (frame.kind) {
      case "response": {
        const waiting = typeof frame.id === "number" ? this.#waiting.get(frame.id) : undefined;
        if (waiting === undefined) return false;
        waiting.settle("result" in frame ? { result: frame.result } : { error: frame.error });
        return true;
      }
      case "request": {
        const outcome =
          frame.method === "ping"
            ? { result: {} }
            : failed(CODE.methodNotFound, "this client serves nothing");
        // One that reads no answers gets none.
        if (this.#input.writableLength < this.#limits.requestBytes)
          this.#write(encodeOutcome(frame.id, outcome));
        return false;
      }
      case "notification": {
        const token = frame.params["progressToken"];
        const waiting = typeof token === "number" ? this.#waiting.get(token) : undefined;
        if (frame.method !== "notifications/progress" || waiting?.onProgress === undefined) return false;
        waiting.heardAt = this.#clock.now();
        waiting.onProgress(frame.params);
        // Counted all the same: a flood of them is a flood.
        return false;
      }
    }
  }

  /** The one call that it answers is known by an end of the line; where it is not, nothing that waits can be trusted. */
  #tooLong(line: { readonly head: string; readonly tail: string }): void {
    const waiting = this.#waiting.get(idAtTheEnds(line) ?? -1);
    const refusal = new BridgeRefusal("the answer of the MCP server is too large; ask for less");
    if (waiting === undefined) this.#lose(refusal.message);
    else waiting.settle(refusal);
  }

  #strayed(): void {
    const now = this.#clock.now();
    if (now - this.#stray.since > this.#limits.strayMs) this.#stray = { since: now, lines: 0 };
    this.#stray.lines += 1;
    if (this.#stray.lines > this.#limits.strayLines) this.#lose("the MCP server floods its output");
  }

  /** It has lost its way: it is ended, and the next call starts another one. */
  #lose(why: string): void {
    this.#refuseAll(why);
    void this.stop();
  }

  #hear(chunk: string): void {
    this.#lastWords = (this.#lastWords + chunk).slice(-this.#limits.lastWordsChars);
  }

  #write(line: string): void {
    if (!this.#input.writableEnded) this.#input.write(`${line}\n`);
  }

  #over(exit: Exit): void {
    this.#exit = exit;
    this.#refuseAll(ENDED);
    this.#input.destroy();
  }

  #refuseAll(why: string): void {
    for (const { settle } of this.#waiting.values()) settle(new BridgeRefusal(why));
  }
}

function isOpening(value: unknown): value is Opening {
  return typeof value === "object" && value !== null && "era" in value;
}
