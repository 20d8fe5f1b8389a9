import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import type { HostSession } from "../../src/session/host-session.ts";
import type { SessionBase } from "../../src/session/session.ts";
import type { TunnelOpener } from "../../src/tunnel/provider.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import type { FakeClock } from "../support/fake-tunnel-clock.ts";
import { Proxy } from "../support/proxy.ts";

/** What a test has started; the last one first is how it is stopped. */
const cleanups: (() => unknown)[] = [];

export function afterwards(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** For `afterEach`: no test leaves a socket behind. */
export async function cleanUp(): Promise<void> {
  for (let last = cleanups.pop(); last !== undefined; last = cleanups.pop()) await last();
}

/** A turn of the test's time is a few of the event loop's, so that loopback keeps up however busy the machine is. */
const STEP_MS = 20;

/**
 * Lets time pass until `condition` holds, as many milliseconds as there is work and not as the wall clock says: a slow
 * machine changes nothing.
 */
export async function turning(
  clock: FakeClock,
  what: string,
  condition: () => boolean,
  options: { each?: (turn: number) => void; stepMs?: number | (() => number); turns?: number } = {},
): Promise<void> {
  const { each, stepMs = STEP_MS, turns = 50_000 } = options;
  for (let turn = 0; turn < turns; turn += 1) {
    if (condition()) return;
    each?.(turn);
    await clock.advance(typeof stepMs === "number" ? stepMs : stepMs());
  }
  throw new Error(`still not: ${what}`);
}

/** Lets so many turns go by. */
export async function pass(
  clock: FakeClock,
  turns: number,
  each: () => void = () => undefined,
): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    each();
    await clock.advance(STEP_MS);
  }
}

/** Keeps the time going until a promise has settled. */
export async function settled<Result>(
  clock: FakeClock,
  what: string,
  promise: Promise<Result>,
): Promise<Result> {
  let isDone = false;
  const done = promise.finally(() => (isDone = true));
  done.catch(() => undefined);
  await turning(clock, what, () => isDone);
  return done;
}

export async function proxy(): Promise<Proxy> {
  const made = await Proxy.start();
  afterwards(() => made.close());
  return made;
}

/** The sessions of one process, and the end of them when the test is over. */
export function sessions(
  clock: FakeClock,
  ...rest: [Parameters<typeof sessionsOn>[1]?, Parameters<typeof sessionsOn>[2]?]
): ReturnType<typeof sessionsOn> {
  const made = sessionsOn(clock, ...rest);
  afterwards(async () => {
    const shut = made.shutDown();
    await settled(clock, "everything is shut down", shut);
  });
  return made;
}

export interface Opened {
  readonly host: HostSession;
  readonly joinLinks: readonly string[];
}

/** A host, behind a proxy or on its own port; `isBehindEdge` lets visitors name their source. */
export async function opened(
  clock: FakeClock,
  options: { wire?: Proxy; invites?: number; isBehindEdge?: boolean } = {},
): Promise<Opened> {
  const { wire, invites = 1, isBehindEdge = false } = options;
  const long = { idleMinutes: 1_440, inviteMinutes: 1_440 };
  const made = sessions(clock, long, wire === undefined ? {} : { direct: wire.provider });
  const transport = isBehindEdge ? "cloudflared" : undefined;
  const result = await made.host({ ...hostRequest(), invites, transport });
  return { host: result.hosting, joinLinks: result.invites.map(({ joinLink }) => joinLink) };
}

export async function joined(clock: FakeClock, joinLink = "", name = "ben"): Promise<GuestSession> {
  const joining = sessions(clock).join({ ...joinRequest(joinLink), name });
  return settled(clock, `${name} has joined`, joining);
}

/** A host and a guest who have met; over the proxy if there is one. */
export async function pair(
  clock: FakeClock,
  wire?: Proxy,
): Promise<{ host: HostSession; guest: GuestSession }> {
  const { host, joinLinks } = await opened(clock, wire === undefined ? {} : { wire });
  return { host, guest: await joined(clock, joinLinks[0]) };
}

export function isConnected(host: HostSession, name = "ben"): boolean {
  return host.presence().find((member) => member.name === name)?.connected === true;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** A participant that says numbered messages and writes down what it hears of whom. */
export class Voice {
  readonly said: string[] = [];
  readonly heard = new Map<string, string[]>();
  readonly #tunnel: SessionBase;
  readonly #failures: unknown[] = [];

  constructor(tunnel: SessionBase) {
    this.#tunnel = tunnel;
  }

  /** One more message, of `bytes` bytes; even one of a single byte tells by its letter whether it is in its place. */
  say(bytes: number): void {
    const letter = LETTERS[this.said.length % LETTERS.length] ?? "";
    const text = `${letter}${this.said.length}`.slice(0, bytes).padEnd(bytes, letter);
    this.said.push(text);
    this.#tunnel.say({ text }).catch((error: unknown) => this.#failures.push(error));
  }

  of(name: string): string[] {
    let texts = this.heard.get(name);
    if (texts === undefined) this.heard.set(name, (texts = []));
    return texts;
  }

  /** Takes what is there, as calls of `tunnel_listen` one after the other would. */
  listen(): void {
    const { inbox } = this.#tunnel;
    for (let more = true; more;) {
      inbox.settle();
      const batch = inbox.take("listen", 200);
      // Asked at every turn, for which `expect` takes too long.
      if (batch.gap !== undefined) expect.fail("something was lost from the log");
      for (const { entry, redelivered } of batch.entries) {
        if (redelivered) expect.fail("something was given twice");
        if (entry.kind === "chat") this.of(entry.fromName).push(entry.text);
      }
      ({ more } = batch);
    }
  }

  /** No message was refused to the agent that said it. */
  expectNoFailures(): void {
    expect(this.#failures).toEqual([]);
  }
}

/** What one said is what the other heard: all of it, once, and in order. */
export function expectAllHeard(signer: Voice, name: string, listener: Voice): void {
  signer.expectNoFailures();
  const heard = listener.of(name);
  // Said in a short form first: the difference of two lists of long texts is slow to print.
  const short = (text: string): string => `${text.slice(0, 8)} ${text.length}`;
  expect(heard.map(short)).toEqual(signer.said.map(short));
  expect(heard.every((text, at) => text === signer.said[at])).toBe(true);
}

setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");

/** Memory that is in use, after garbage has been collected. */
export function memoryInUse(): number {
  if (typeof collectGarbage === "function") collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  // What array buffers hold is part of `external`.
  return heapUsed + external;
}

/** Opens proxies as addresses, collected in `wires`; none of them ever says that something is wrong with it. */
export function proxiesIn(wires: Proxy[]): TunnelOpener {
  return async ({ port }) => {
    const wire = await proxy();
    wire.target = port;
    wires.push(wire);
    return {
      url: wire.origin,
      description: "a proxy",
      health: () => ({ state: "up" }),
      onDown: () => () => undefined,
      stop: () => Promise.resolve(),
    };
  };
}
