import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import * as z from "zod/mini";
import type { Clock } from "../../../runtime/clock.ts";
import { KINDS } from "../../../uplink/messages.ts";

/** Versions of what nodes say to each other that this one speaks. Each node names its own in its lease; the newest common one is used. */
export const PEER_VERSIONS: readonly number[] = [1];

const word = z.string().check(z.minLength(1), z.maxLength(128));
const wanted = z.union([
  z.object({ kind: z.enum(KINDS), name: word, epoch: z.int() }),
  z.object({ ticket: z.string().check(z.minLength(1), z.maxLength(256)) }),
  z.object({ message: z.string().check(z.maxLength(1_024)) }),
  z.object({ isAdmin: z.literal(true) }),
]);
const greeting = z.object({
  version: z.int(),
  from: word,
  to: word,
  /** By the sender's clock, in ms. */
  time: z.int(),
  nonce: z.string().check(z.minLength(22), z.maxLength(22)),
  wanted,
});
/**
 * One node's wish to another: the host of a claim, under that epoch; the guest of a ticket; the answer to a message of the
 * register; or its operator's listener.
 */
export type Wanted = z.infer<typeof wanted>;

const MAX_BYTES = 2_048;
const NONCE_BYTES = 16;
/** Clocks of nodes may differ by so much; a nonce is remembered for as long. */
const SKEW_MS = 60_000;
const MAX_NONCES = 1_000_000;

const macOf = (key: Buffer, about: string, text: string): string =>
  createHmac("sha256", key).update(`tunnel-mcp relay node 1 ${about}\n${text}`).digest("base64url");

export interface Greeting {
  readonly from: string;
  readonly to: string;
  readonly version: number;
  readonly wanted: Wanted;
}

/** @returns the first line of a connection, and what reads the lines that come back */
export function greet(
  key: Buffer,
  clock: Clock,
  asked: Greeting,
): {
  readonly line: string;
  /** `gone`: whoever listens there is another node, and nobody else can be at its address. */
  readonly read: (answer: string) => "accepted" | "gone" | undefined;
  /** The node's answer to a message. */
  readonly said: (line: string) => string | undefined;
} {
  const nonce = randomBytes(NONCE_BYTES).toString("base64url");
  const text = JSON.stringify({ ...asked, time: clock.now(), nonce } satisfies z.infer<typeof greeting>);
  return {
    line: `${macOf(key, "asks", text)} ${text}\n`,
    read: (answer) => {
      if (isSame(answer, macOf(key, "answers", nonce))) return "accepted";
      return isSame(answer, macOf(key, "is another", nonce)) ? "gone" : undefined;
    },
    said: (line) => {
      const { mac, text: words } = parts(line);
      return isSame(mac, macOf(key, "says", `${nonce} ${words}`)) ? words : undefined;
    },
  };
}

const parts = (line: string): { readonly mac: string; readonly text: string } => {
  const space = line.indexOf(" ");
  return { mac: line.slice(0, Math.max(0, space)), text: line.slice(space + 1) };
};

/** A greeting that is good. */
export interface Greeted {
  readonly wanted: Wanted;
  /** Proves that this node has heard it. */
  readonly answer: string;
  readonly say: (text: string) => string;
}

export interface GreetingsOptions {
  readonly key: Buffer;
  readonly node: string;
  readonly clock: Clock;
  readonly versions: readonly number[];
}

/** Reads greetings of other nodes, each once. */
export class Greetings {
  readonly #options: GreetingsOptions;
  readonly #nonces = new Map<string, number>();

  constructor(options: GreetingsOptions) {
    this.#options = options;
  }

  /**
   * @returns undefined for whatever is not a fresh greeting of one that has the cluster's key; a string, which is the answer, where it
   *   was meant for another node
   */
  read(line: string): Greeted | string | undefined {
    const { key, node, clock, versions } = this.#options;
    const { mac, text } = parts(line);
    if (!isSame(mac, macOf(key, "asks", text))) return undefined;
    const parsed = greeting.safeParse(JSON.parse(text)).data;
    if (parsed === undefined || !versions.includes(parsed.version)) return undefined;
    const now = clock.now();
    const { time, nonce } = parsed;
    if (Math.abs(now - time) > SKEW_MS || this.#nonces.has(nonce)) return undefined;
    this.#remember(nonce, now);
    if (parsed.to !== node) return macOf(key, "is another", nonce);
    return {
      wanted: parsed.wanted,
      answer: macOf(key, "answers", nonce),
      say: (words) => `${macOf(key, "says", `${nonce} ${words}`)} ${words}`,
    };
  }

  #remember(nonce: string, now: number): void {
    this.#nonces.set(nonce, now + 2 * SKEW_MS);
    for (const [old, until] of this.#nonces) {
      if (until > now && this.#nonces.size <= MAX_NONCES) break;
      this.#nonces.delete(old);
    }
  }
}

/** The first line of a connection, and leaves what follows in it; undefined where none comes in time. */
export function firstLine(socket: Duplex, clock: Clock, withinMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let read = Buffer.alloc(0);
    const end = (line: string | undefined): void => {
      cancel();
      socket.off("readable", look).off("close", fail).off("error", fail).off("end", fail);
      resolve(line);
    };
    const fail = (): void => end(undefined);
    const look = (): void => {
      for (let chunk: unknown = socket.read(); chunk !== null; chunk = socket.read()) {
        if (!Buffer.isBuffer(chunk)) return fail();
        const at = chunk.indexOf(0x0a);
        read = Buffer.concat([read, at === -1 ? chunk : chunk.subarray(0, at)]);
        if (read.length > MAX_BYTES) return fail();
        if (at === -1) continue;
        if (at + 1 < chunk.length) socket.unshift(chunk.subarray(at + 1));
        return end(read.toString("utf8"));
      }
    };
    const cancel = clock.after(withinMs, fail);
    socket.on("readable", look).once("close", fail).once("error", fail).once("end", fail);
  });
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
