import { PassThrough } from "node:stream";
import { z } from "zod";
import { chat, type ChatOptions, type JoinRequest, type OpenRequest } from "../../../src/cli/chat/chat.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import type { Sessions } from "../../../src/session/sessions.ts";
import { FakeTerminal } from "../../support/fake-terminal.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { until } from "../../support/processes.ts";
import { servicesOn } from "../../services/services-on.ts";
import { sessionsOn } from "../../session/support.ts";

export const openRequest: OpenRequest = {
  kind: "open",
  goal: "align the API",
  name: "ana",
  invites: 1,
  transport: undefined,
  history: false,
  json: false,
};
export const joinRequest = (link: string | undefined, name = "ben"): JoinRequest => ({
  kind: "join",
  link,
  name,
  json: false,
});

const eventSchema = z.looseObject({ event: z.string() });
export type Event = z.infer<typeof eventSchema>;

/** One side of a chat: a person at a terminal, or a program at a pipe. */
export interface Side {
  readonly terminal: FakeTerminal;
  readonly sessions: Sessions;
  readonly code: Promise<0 | 1 | 2>;
  /** Exit codes of those who could not wait. */
  readonly exits: number[];
  readonly stderr: () => string;
  /** The rows that a person sees, until one of them is like this. */
  seen(row: RegExp): Promise<string>;
  /** What a program writes. */
  write(command: unknown): void;
  /** What comes down the pipe, byte for byte. */
  writeBytes(bytes: Uint8Array): void;
  /** Its input ends. */
  end(): void;
  /** What a program reads: the first event of this kind of which this holds. */
  event(name: string, holds?: (event: Event) => boolean): Promise<Event>;
  events(): Event[];
  /** What the process does when it is told to end. */
  shutDown(): Promise<void>;
}

const sides = new Set<Side>();

/** Waits for something real; what is told a moment later needs a clock that goes. */
async function turning(clock: Clock, what: string, holds: () => boolean): Promise<void> {
  await until(what, async () => {
    if (!holds() && clock instanceof FakeClock) await clock.advance(20);
    return holds();
  });
}

/** For `afterEach`: nothing goes on, and nothing listens. */
export async function endSides(): Promise<void> {
  for (const side of sides) await side.shutDown();
  sides.clear();
}

export function startSide(
  request: ChatOptions["request"],
  options: { clock: Clock; columns?: number; sessions?: Sessions; plain?: boolean },
): Side {
  const { clock, plain = false } = options;
  const terminal = new FakeTerminal(options.columns ?? 240);
  const sessions = options.sessions ?? sessionsOn(clock);
  const hooks: ((code: number) => Promise<void>)[] = [];
  const exits: number[] = [];
  const isPerson = !request.json && !plain;
  const input = isPerson ? terminal.input : new PassThrough();
  let stdout = "";
  let stderr = "";
  const chatOptions: ChatOptions = {
    request,
    keptForSec: 600,
    kept: () => Promise.resolve([]),
    sessions: () => Promise.resolve(sessions),
    services: servicesOn(sessions, clock),
    clock,
    output: {
      out: (text) => {
        stdout += text;
        if (isPerson) terminal.write(text);
      },
      err: (text) => void (stderr += text),
      color: false,
    },
    input,
    terminal,
    stdinIsTerminal: isPerson,
    isInteractive: isPerson,
    marksPaste: isPerson,
    outputLost: new Promise(() => undefined),
    onShutdown: (hook) => void hooks.push(hook),
    exitNow: (code) => void exits.push(code),
  };
  const events = (): Event[] =>
    stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => eventSchema.parse(JSON.parse(line)));
  const side: Side = {
    terminal,
    sessions,
    exits,
    code: chat(chatOptions),
    stderr: () => stderr,
    async seen(row) {
      const found = (): string | undefined => terminal.rows.find((one) => row.test(one));
      await turning(clock, `on the screen: ${row}`, () => found() !== undefined);
      return found() ?? "";
    },
    write: (command) =>
      void input.write(`${typeof command === "string" ? command : JSON.stringify(command)}\n`),
    writeBytes: (bytes) => void input.write(bytes),
    end: () => void input.end(),
    async event(name, holds = () => true) {
      const found = (): Event | undefined => events().find((one) => one.event === name && holds(one));
      await turning(clock, `the event ${name}`, () => found() !== undefined);
      return found() ?? { event: "" };
    },
    events,
    async shutDown() {
      for (const hook of hooks) await hook(0);
      input.end();
    },
  };
  side.code.catch(() => undefined);
  sides.add(side);
  return side;
}

/** The link that a host has shown. */
export async function linkOf(host: Side): Promise<string> {
  await until("a link", () => /ws:\S+#\S+/.test(host.terminal.raw));
  return /ws:[^\s"\\]+/.exec(host.terminal.raw)?.[0] ?? "";
}

/** Two people who chat, at the moment when each sees the other. */
export async function twoPeople(clock: Clock): Promise<{ ana: Side; ben: Side }> {
  const ana = startSide(openRequest, { clock });
  const ben = startSide(joinRequest(await linkOf(ana)), { clock });
  await ana.seen(/ben has joined/);
  await ben.seen(/^ben>/);
  return { ana, ben };
}
