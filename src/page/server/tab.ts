import type { ServerResponse } from "node:http";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { every } from "../../runtime/wait.ts";
import type { NewCommand } from "../../watch/client.ts";
import type { Source } from "../../watch/here.ts";
import type { KeptLook, KeptTunnel } from "../../watch/protocol.ts";
import { Servers, type Hearing, type Server } from "../../watch/servers.ts";
import { PULSE_MS, type NewLine, type PageAnswer, type PageLine } from "../lines.ts";
import { otherVersion } from "../shown/alarms.ts";
import { keptShown } from "../shown/kept.ts";
import { shownAnswer, Shown } from "../shown/shown.ts";
import { Memory } from "./memory.ts";

export interface TabOptions {
  /** The private folders of this user, in which running servers are found. */
  readonly folders: readonly string[];
  readonly platform: string;
  readonly clock: Clock;
  readonly version: string;
  /** Looks for tunnels whose program has ended; none are shown where left out. */
  readonly kept?: KeptLook;
  /** Somebody who only reads along sees what this tells, and does nothing; the servers of this user where left out. */
  readonly observed?: (hearing: Hearing) => Source;
}

/** A tab that is loaded anew, or a line that breaks for a moment, is back within this time. */
const AWAY_MS = 20_000;
/** A server that does not say how it stands holds no page up for longer. */
const READY_MS = 1_500;
/** Waits for a page that reads slowly; beyond it the stream ends, and the page begins anew. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024;

/** One tab of a person: a face of each of their servers, for as long as somebody looks. */
export class Tab {
  readonly #options: TabOptions;
  readonly #memory = new Memory();
  #servers: Source | undefined;
  readonly #named = new Map<string, Server>();
  readonly #shown = new Map<string, Shown>();
  #kept: ReadonlySet<string> = new Set();
  #stream: ServerResponse | undefined;
  #stopPulse = (): void => undefined;
  #stopWaiting = (): void => undefined;
  /** Everything that is there has been told. */
  #ready: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(options: TabOptions) {
    this.#options = options;
    this.#wake();
    this.#waitForStream();
  }

  /** Goes on after the line `after`, or tells everything where that is unknown. */
  attach(response: ServerResponse, after: number | undefined): void {
    this.#stopWaiting();
    const before = this.#stream;
    this.#stream = response;
    if (before !== undefined) {
      write(before, { t: "moved" });
      before.end();
    }
    this.#wake();
    const missed = after === undefined ? undefined : this.#memory.after(after);
    const { clock, version } = this.#options;
    const isWhole = missed === undefined;
    const n = isWhole ? this.#memory.last : (after ?? 0);
    const observer = this.#options.observed === undefined ? {} : { observer: true as const };
    write(response, { t: "begin", whole: isWhole, n, now: clock.now(), version, ...observer });
    this.#send(missed ?? this.#memory.whole());
    void this.#catchUp(response);
    this.#stopPulse();
    this.#stopPulse = every(clock, PULSE_MS, () => this.#pulse());
    response.once("close", () => {
      if (this.#stream === response) this.#waitForStream();
    });
  }

  async #catchUp(response: ServerResponse): Promise<void> {
    await this.#ready;
    if (this.#stream === response) write(response, { t: "caught-up" });
  }

  /** Tells the page something that is no server's word. */
  tell(line: NewLine): void {
    this.#send([this.#memory.add(line, this.#options.clock.now())]);
  }

  /** Never rejects: whatever goes wrong is the answer. */
  async obey(name: string, command: NewCommand): Promise<PageAnswer> {
    try {
      const server = this.#named.get(name);
      if (server === undefined) throw new TunnelError("control-failed");
      return { ok: true, told: shownAnswer(await server.ask(command)) };
    } catch (thrown) {
      const { code, message, nextForPerson: next } = asTunnelError(thrown);
      return { ok: false, code, message, next };
    }
  }

  /** Nobody has looked for a while: it was closed, most likely. */
  get isAsleep(): boolean {
    return this.#servers === undefined;
  }

  close(): void {
    this.#isOver = true;
    this.#stopPulse();
    this.#stopWaiting();
    this.#sleep();
    this.#stream?.end();
  }

  #waitForStream(): void {
    this.#stream = undefined;
    this.#stopPulse();
    this.#stopWaiting();
    if (!this.#isOver) this.#stopWaiting = this.#options.clock.after(AWAY_MS, () => this.#sleep());
  }

  /** Nobody looks: the servers are left alone, and say so to the other faces. */
  #sleep(): void {
    this.#servers?.close();
    this.#servers = undefined;
    this.#named.clear();
    this.#shown.clear();
    this.#kept = new Set();
    this.#memory.clear();
  }

  #wake(): void {
    if (this.#servers !== undefined || this.#isOver) return;
    const { observed } = this.#options;
    const isObserver = observed !== undefined;
    const hearing: Hearing = {
      hear: (server, event) => {
        if (this.#servers !== servers || event.t === "answer") return;
        this.#named.set(server.name, server);
        const shown = this.#shown.get(server.name) ?? new Shown({ isObserver });
        this.#shown.set(server.name, shown);
        for (const told of shown.of(event, this.#options.clock.now()))
          this.tell({ t: "told", server: server.name, event: told });
      },
      gone: (server) => {
        if (this.#servers !== servers) return;
        this.#named.delete(server.name);
        this.#shown.delete(server.name);
        this.tell({ t: "gone", server: server.name });
      },
      kept: (tunnels) => {
        if (this.#servers === servers) this.#tellKept(tunnels);
      },
      isOther: (_server, version) => {
        if (this.#servers === servers) this.tell({ t: "alarm", ...otherVersion(version) });
      },
    };
    const servers = observed?.(hearing) ?? new Servers({ ...this.#options, face: "page" }, hearing);
    this.#servers = servers;
    const late = new Promise<void>((resolve) => void this.#options.clock.after(READY_MS, resolve));
    this.#ready = Promise.race([servers.start().then(() => servers.ready()), late]);
  }

  /** Each stands in the place of a server of its own, which has gone when the tunnel goes on or is over. */
  #tellKept(tunnels: readonly KeptTunnel[]): void {
    const now = new Map(tunnels.map((one) => [`kept ${one.tunnelId}`, one]));
    for (const server of this.#kept) if (!now.has(server)) this.tell({ t: "gone", server });
    for (const [server, one] of now)
      if (!this.#kept.has(server))
        for (const event of keptShown(one, this.#options.clock.now()))
          this.tell({ t: "told", server, event });
    this.#kept = new Set(now.keys());
  }

  #pulse(): void {
    if (this.#stream !== undefined) write(this.#stream, { t: "pulse" });
  }

  #send(lines: readonly string[]): void {
    const stream = this.#stream;
    if (stream === undefined || lines.length === 0) return;
    stream.write(lines.join(""));
    if (stream.writableLength > MAX_UNREAD_BYTES) stream.destroy();
  }
}

function write(stream: ServerResponse, line: PageLine): void {
  stream.write(`${JSON.stringify(line)}\n`);
}
