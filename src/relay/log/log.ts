import type { Clock } from "../../runtime/clock.ts";
import { hidePrefix } from "../../expose/access/prefix.ts";
import type { RelayEvent } from "../events.ts";
import type { Tags } from "./tags.ts";

export interface LogOptions {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** Characters or bytes that were written and that nobody has read yet. */
  readonly unread: () => number;
  readonly tags: Tags;
  /** Every guest, connection and request, too. */
  readonly hasAccess: boolean;
  /** Names, addresses and paths in whole. */
  readonly hasNames: boolean;
}

type Fields = Readonly<Record<string, string | number | boolean | undefined>>;
type Level = "info" | "warn";

/** More lines than this in a second are counted and not written: whoever knocks often must not fill the disk. */
const LINES_PER_SECOND = 500;
/** A reader that has stalled must not fill the memory. */
const MAX_UNREAD = 1024 * 1024;
/** Lines of so many ms go out together: each write is a system call. */
const GATHER_MS = 20;
const PATH_CHARS = 200;

/** Writes what happens as lines of JSON, each with `time`, `level` and `event`. */
export class Log {
  readonly #options: LogOptions;
  #waiting = "";
  #cancel: (() => void) | undefined;
  #second = 0;
  #lines = 0;
  #leftOut = 0;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  take(event: RelayEvent): void {
    switch (event.type) {
      case "registered":
        return this.line("info", "registered", {
          ...this.#tunnel(event),
          epoch: event.epoch,
          token: event.tokenId,
          source: this.#source(event.source),
        });
      case "refused":
        return this.line("warn", "refused", {
          kind: event.kind,
          reason: event.reason,
          source: this.#source(event.source),
        });
      case "unregistered":
        return this.line("info", "unregistered", {
          ...this.#tunnel(event),
          epoch: event.epoch,
          token: event.tokenId,
          why: event.why,
          lastedMs: event.lastedMs,
        });
      case "connection":
      case "request":
        return this.#visit(event);
      case "draining":
        return this.line("info", "draining", {});
      case "trouble":
        return this.line("warn", "trouble", { what: event.what });
    }
  }

  line(level: Level, event: string, fields: Fields): void {
    const now = this.#options.clock.now();
    this.#turn(now);
    this.#lines += 1;
    if (this.#lines > LINES_PER_SECOND || this.#options.unread() > MAX_UNREAD) {
      this.#leftOut += 1;
      return;
    }
    this.#put(now, level, event, fields);
  }

  /** What is still waiting goes out. */
  close(): void {
    const now = this.#options.clock.now();
    this.#tellLeftOut(now);
    this.#flush();
  }

  #visit(event: Extract<RelayEvent, { type: "connection" | "request" }>): void {
    if (!this.#options.hasAccess) return;
    const { type, name, end, bytesIn, bytesOut, lastedMs } = event;
    const kind = type === "request" ? "http" : event.kind;
    this.line("info", type, {
      ...this.#tunnel({ kind, name }),
      ...(type === "request" ? this.#request(event) : {}),
      end,
      bytesIn,
      bytesOut,
      lastedMs,
      source: this.#source(event.source),
    });
  }

  #request({ method, path, status }: Extract<RelayEvent, { type: "request" }>): Fields {
    // A path may be a secret of the service, as that of a webhook is.
    const shown = this.#options.hasNames ? hidePrefix(path).slice(0, PATH_CHARS) : undefined;
    return { method, path: shown, status };
  }

  #tunnel({ kind, name }: Pick<Extract<RelayEvent, { type: "registered" }>, "kind" | "name">): Fields {
    const { tags, hasNames } = this.#options;
    return { kind, tunnel: tags.tunnel({ kind, name }), name: hasNames ? name : undefined };
  }

  #source(source: string): string {
    const { tags, hasNames, clock } = this.#options;
    return hasNames ? source : tags.source(source, clock.now());
  }

  #turn(now: number): void {
    const second = Math.floor(now / 1_000);
    if (second === this.#second) return;
    this.#tellLeftOut(now);
    this.#second = second;
    this.#lines = 0;
  }

  #tellLeftOut(now: number): void {
    if (this.#leftOut === 0 || this.#options.unread() > MAX_UNREAD) return;
    const lines = this.#leftOut;
    this.#leftOut = 0;
    this.#put(now, "warn", "left-out", { lines });
  }

  #put(now: number, level: Level, event: string, fields: Fields): void {
    const time = new Date(now).toISOString();
    this.#waiting += `${JSON.stringify({ time, level, event, ...fields })}\n`;
    this.#cancel ??= this.#options.clock.after(GATHER_MS, () => this.#flush());
  }

  #flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const text = this.#waiting;
    this.#waiting = "";
    if (text !== "") this.#options.write(text);
  }
}
