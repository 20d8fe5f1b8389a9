/**
 * Messages through the judgement that each has before it leaves, as one JSON line: what one takes, and how long the loop is held.
 *
 *   node judge-side.cjs SCRIPT ROUNDS
 */
import { pathToFileURL } from "node:url";
import { OutboundFilter } from "../src/oversight/filter/filter.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { Judge } from "../src/session/saying/judging.ts";
import { watchLoop } from "./loop.mjs";
import { summary } from "./support.mjs";

const [script, rounds] = process.argv.slice(2);
const CODE = 'const price = read(cart, "total"); // see src/cart/price.ts and its test\n';
const filled = (text, bytes) => text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes);
const KIB = 1024;

/** Ordinary text, and such as has most to be taken off. The longest that is judged on the spot has 16 KiB. */
const TEXTS = {
  "200 bytes": filled(CODE, 200),
  "16 KiB of code": filled(CODE, 16 * KIB),
  "16 KiB of escapes": filled("\\u0041\\x42&#67;%44", 16 * KIB),
  "16 KiB of base64": filled(Buffer.from(CODE).toString("base64").replaceAll("=", ""), 16 * KIB),
  "64 KiB of code": filled(CODE, 64 * KIB),
  "64 KiB of escapes": filled("\\u0041\\x42&#67;%44", 64 * KIB),
  "64 KiB of base64": filled(Buffer.from(CODE).toString("base64").replaceAll("=", ""), 64 * KIB),
};

async function main() {
  const filter = new OutboundFilter(systemClock, pathToFileURL(script));
  const judge = new Judge(filter, String);
  const found = {};
  for (const [name, text] of Object.entries(TEXTS)) {
    const took = [];
    const holds = [];
    for (let round = -3; round < Number(rounds); round += 1) {
      const stop = watchLoop();
      const began = performance.now();
      await judge.message({ text });
      const ms = performance.now() - began;
      await new Promise((resolve) => setTimeout(resolve, 3));
      const held = stop();
      if (round < 0) continue;
      took.push(ms);
      holds.push(held);
    }
    found[name] = { ms: summary(took), heldMs: summary(holds) };
  }
  await filter.close();
  console.log(JSON.stringify(found));
}

void main();
