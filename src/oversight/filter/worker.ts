import { Buffer } from "node:buffer";
import { parentPort } from "node:worker_threads";
import { ContentScanner } from "./content-scanner.ts";
import { detectWithSecretlint } from "./secretlint.ts";
import type { FromThread, ToThread } from "./thread-messages.ts";

/** The thread in which content is scanned: a bundle of its own, with the second engine in it (scripts/build.mjs). */

interface Open {
  readonly scanner: ContentScanner;
  /** One step after the other. */
  last: Promise<void>;
  hasFailed: boolean;
}

const open = new Map<number, Open>();

function say(message: FromThread): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is a window's; this is a thread
  parentPort?.postMessage(message);
}

async function step(scan: number, entry: Open, work: () => Promise<void>): Promise<void> {
  const before = entry.last;
  entry.last = (async () => {
    await before;
    if (entry.hasFailed) return;
    try {
      await work();
    } catch {
      entry.hasFailed = true;
      say({ t: "failed", scan });
    }
  })();
  await entry.last;
}

async function take(message: ToThread): Promise<void> {
  const { scan } = message;
  if (message.t === "open") {
    const scanner = new ContentScanner(message.where, detectWithSecretlint, message.before);
    open.set(scan, { scanner, last: Promise.resolve(), hasFailed: false });
    return;
  }
  const entry = open.get(scan);
  if (entry === undefined) return;
  if (message.t === "bytes") {
    const { buffer, byteOffset, length } = message.bytes;
    await step(scan, entry, async () => {
      await entry.scanner.push(Buffer.from(buffer, byteOffset, length));
      say({ t: "taken", scan, bytes: length });
    });
  } else {
    if (message.t === "end")
      await step(scan, entry, async () => say({ t: "outcome", scan, outcome: await entry.scanner.end() }));
    open.delete(scan);
  }
}

// One that was written by this program alone; its form needs no check.
parentPort?.on("message", (message: ToThread) => void take(message));
