import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import * as z from "zod/mini";
import type { Clock } from "../../../runtime/clock.ts";
import { KINDS } from "../../../uplink/messages.ts";

/** The version of what nodes say to each other. A node that speaks several names them in its lease. */
export const PEER_VERSION = 1;

const word = z.string().check(z.minLength(1), z.maxLength(128));
const wanted = z.union([
  z.object({ kind: z.enum(KINDS), name: word, epoch: z.int() }),
  z.object({ ticket: z.string().check(z.minLength(1), z.maxLength(256)) }),
]);
const greeting = z.object({
  version: z.literal(PEER_VERSION),
  to: word,
  /** Of the sender's clock, in ms. */
  time: z.int(),
  nonce: z.string().check(z.minLength(22), z.maxLength(22)),
  wanted,
});
/** What one node wants of another: the host of a claim, under that epoch; or the guest of a ticket. */
export type Wanted = z.infer<typeof wanted>;

const MAX_BYTES = 2_048;
const NONCE_BYTES = 16;
/** Clocks of nodes may differ by so much; a nonce is remembered for as long. */
const SKEW_MS = 60_000;
const MAX_NONCES = 1_000_000;

const macOf = (key: Buffer, about: string, text: string): Buffer =>
  createHmac("sha256", key).update(`tunnel-mcp relay node 1 ${about}\n${text}`).digest();

/** @returns the first line of a connection, and what answers it */
export function greet(
  key: Buffer,
  to: string,
  clock: Clock,
  asked: Wanted,
): { readonly line: string; readonly isAccepted: (answer: string) => boolean } {
  const nonce = randomBytes(NONCE_BYTES).toString("base64url");
  const payload = { version: PEER_VERSION, to, time: clock.now(), nonce, wanted: asked } as const;
  const text = JSON.stringify(payload satisfies z.infer<typeof greeting>);
  return {
    line: `${macOf(key, "asks", text).toString("base64url")} ${text}\n`,
    isAccepted: (answer) => isSame(answer, answerTo(key, nonce)),
  };
}

/** Proves that the node which was meant has heard it. */
export const answerTo = (key: Buffer, nonce: string): string =>
  macOf(key, "answers", nonce).toString("base64url");

/** Reads greetings of other nodes, each once. */
export class Greetings {
  readonly #key: Buffer;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #nonces = new Map<string, number>();

  constructor(key: Buffer, node: string, clock: Clock) {
    this.#key = key;
    this.#node = node;
    this.#clock = clock;
  }

  /** @returns undefined for whatever is not a fresh greeting for this node of one that has the cluster's key */
  read(line: string): { readonly wanted: Wanted; readonly answer: string } | undefined {
    const space = line.indexOf(" ");
    const [mac, text] = [line.slice(0, space), line.slice(space + 1)];
    if (space === -1 || !isSame(mac, macOf(this.#key, "asks", text).toString("base64url"))) return undefined;
    const parsed = greeting.safeParse(JSON.parse(text)).data;
    const now = this.#clock.now();
    if (parsed === undefined || parsed.to !== this.#node) return undefined;
    if (Math.abs(now - parsed.time) > SKEW_MS || this.#nonces.has(parsed.nonce)) return undefined;
    this.#remember(parsed.nonce, now);
    return { wanted: parsed.wanted, answer: answerTo(this.#key, parsed.nonce) };
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
