import type { Clock } from "../../../src/runtime/clock.ts";
import type { Server } from "../../../src/watch/servers.ts";
import { PersonFace } from "../../../src/cli/watch/person-face.ts";
import type { WatchOptions } from "../../../src/cli/watch/watch-options.ts";
import type { NewCommand } from "../../../src/watch/client.ts";
import type { AskView, TunnelView, WatchEvent } from "../../../src/watch/protocol.ts";
import { FakeTerminal, type Cells } from "../../support/fake-terminal.ts";
import { FakeClock, settle } from "../../support/fake-tunnel-clock.ts";
import { memberIdFromText } from "../../session/support.ts";
import { recorder } from "../support.ts";

export const AT = "2027-01-15T08:00:00.000Z";

/** An ask about a message of this side's agent, unless `over` says otherwise. */
export function askOf(ask: number, text: string, over: Partial<AskView> = {}): AskView {
  return {
    ask,
    tunnelId: "aaaa",
    gates: ["hold-out"],
    because: ["you want to see each message before it leaves"],
    subject: { kind: "message", text, contentHash: "00" },
    digest: String(ask % 10).repeat(64),
    member: undefined,
    askedAt: AT,
    expiresAt: AT,
    state: "waiting",
    by: undefined,
    ...over,
  };
}

export function tunnelOf(tunnelId = "aaaa", over: Partial<TunnelView> = {}): TunnelView {
  return {
    tunnelId,
    role: "host",
    status: "open",
    goal: "align the API",
    self: "ana",
    members: [],
    oversight: { paused: false, gates: [], heldOut: 0, heldIn: 0, stopped: undefined, budgets: undefined },
    signOff: undefined,
    safetyCodes: [],
    invites: [],
    alarms: [],
    ended: undefined,
    ...over,
  };
}

type Entry = Extract<WatchEvent, { t: "entry" }>;

export function said(
  text: string,
  over: Partial<Entry["entry"] & { kind: "chat" }> = {},
  isOwn = false,
): Entry {
  return {
    t: "entry",
    at: 1,
    tunnelId: "aaaa",
    isOwn,
    entry: {
      kind: "chat",
      seq: 1,
      ts: AT,
      from: memberIdFromText("idofben"),
      fromName: "ben",
      lookAlike: undefined,
      intent: undefined,
      replyTo: undefined,
      to: undefined,
      beforeYou: undefined,
      text,
      ...over,
    },
  };
}

export function hello(tunnels: readonly TunnelView[], asks: readonly AskView[] = []): WatchEvent {
  return {
    t: "hello",
    server: { pid: 1, version: "0", folder: "/w" },
    tunnels,
    exposures: [],
    services: [],
    asks,
  };
}

export const asked = (ask: AskView): WatchEvent => ({ t: "ask", ask, isNew: true });

/** A server that does what `answer` says, and remembers what it was told. */
export class FakeServer implements Server {
  readonly name: string;
  readonly told: NewCommand[] = [];
  answer: (command: NewCommand) => Promise<void> = () => Promise.resolve();

  constructor(name = "1") {
    this.name = name;
  }

  readonly ask = async (command: NewCommand): Promise<undefined> => {
    this.told.push(command);
    await this.answer(command);
  };
}

export function watchOptions(
  terminal: FakeTerminal,
  clock: Clock,
  over: Partial<WatchOptions> = {},
): WatchOptions {
  return {
    folders: [],
    platform: process.platform,
    clock,
    env: {},
    version: "0",
    output: recorder(),
    isJson: false,
    input: terminal.input,
    terminal,
    isInteractive: true,
    onShutdown: () => undefined,
    ...over,
  };
}

/** A person at a terminal, and the servers that they see. */
export class Watcher {
  readonly clock = new FakeClock();
  readonly terminal: FakeTerminal;
  readonly server = new FakeServer("1");
  readonly other = new FakeServer("2");
  readonly face: PersonFace;
  isDone = false;

  constructor(columns = 100, env: Record<string, string> = {}, cells?: Cells) {
    this.terminal = new FakeTerminal(columns, cells);
    this.face = new PersonFace(watchOptions(this.terminal, this.clock, { env }));
    void this.face.done.then(() => (this.isDone = true));
  }

  hear(...events: readonly WatchEvent[]): void {
    for (const event of events) this.face.hear(this.server, event);
  }

  /** Long enough after what came last. */
  async type(line: string): Promise<void> {
    await this.clock.advance(600);
    this.terminal.type(`${line}\r`);
    await settle();
  }

  get text(): string {
    return this.terminal.rows.join("\n");
  }
}
