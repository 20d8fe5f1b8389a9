/**
 * What the programs `session-side` and `raw-side` have in common: commands over the IPC channel of the process that
 * started them, what they use of the machine, and waiting until what was sent has been heard.
 */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const COLLECTION_MS = 100;

/** Answers commands until the parent is gone. */
export function serve(commands) {
  process.on("message", ({ id, name, args }) => {
    Promise.resolve(args)
      .then(commands[name])
      .then((result) => process.send({ id, result: result ?? null }))
      .catch((error) => process.send({ id, error: error.code ?? String(error.stack ?? error) }));
  });
  process.on("disconnect", () => process.exit(0));
}

/** Milliseconds by a clock that all processes of one machine share. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

export const sleep = (ms) => new Promise((resolve) => void setTimeout(resolve, ms));

/** The next turn of the event loop: whatever has arrived meanwhile comes first. */
export const nextTurn = () => new Promise((resolve) => void setImmediate(resolve));

/** MB of 10^6 bytes and ms of processor time, of this process. */
export function usage() {
  const { user, system } = process.cpuUsage();
  return {
    residentMB: process.memoryUsage.rss() / 1e6,
    peakMB: peakKiB() * 1.024e-3,
    cpuMs: (user + system) / 1e3,
  };
}

function peakKiB() {
  // getrusage() would count the parent as it was before exec.
  if (process.platform !== "linux") return process.resourceUsage().maxRSS;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

/** MB of 10^6 bytes that are still in use after a full collection. */
export async function live() {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  // What a first one has found, array buffers above all, is given back beside the program.
  collect();
  await sleep(COLLECTION_MS);
  collect();
  await sleep(COLLECTION_MS);
  const { heapUsed, external } = process.memoryUsage();
  return { liveMB: (heapUsed + external) / 1e6, heapMB: heapUsed / 1e6 };
}

/** Messages that one participant has heard, and how long each stamped one was on its way. */
export class Ear {
  heard = 0;
  #asked = 0;
  #delays = [];
  #resolve = () => undefined;

  /** `saidAt` is 0 for a message without a stamp. */
  hear(saidAt, at = now()) {
    this.heard += 1;
    if (saidAt > 0) this.#delays.push(at - saidAt);
    if (this.heard === this.#asked) this.#resolve(at);
  }

  /** The delays of stamped messages that were heard since this was last asked. */
  takeDelays() {
    return this.#delays.splice(0);
  }

  /** When the next `count` messages, after those of earlier calls, had been heard, and the delays since then. */
  async next(count) {
    this.#asked += count;
    const at = await new Promise((resolve) => {
      this.#resolve = resolve;
      if (this.heard >= this.#asked) resolve(now());
    });
    return { at, delays: this.#delays.splice(0) };
  }
}

/** All participants of this process together: the last of them counts. */
export async function heardByAll(ears, count) {
  const heard = await Promise.all(ears.map((ear) => ear.next(count)));
  return { at: Math.max(...heard.map(({ at }) => at)), delays: heard.flatMap(({ delays }) => delays) };
}

/** Calls `once` so many times, the given time apart, whatever the earlier calls took. */
export async function paced(count, everyMs, once) {
  const began = now();
  for (let index = 0; index < count; index += 1) {
    await sleep(Math.max(0, began + index * everyMs - now()));
    await once();
  }
}
