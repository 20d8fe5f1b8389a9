import { Writable } from "node:stream";
import { expect, it } from "vitest";
import { GatheredWrites } from "../../src/runtime/gathered-writes.ts";

/** A stream that tells of every write of the system: the texts that went into it. */
function recorder(): { writes: string[][]; say: (text: string) => void; stream: Writable } {
  const writes: string[][] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      writes.push([chunk]);
      done();
    },
    writev(chunks: { chunk: string }[], done) {
      writes.push(chunks.map(({ chunk }) => chunk));
      done();
    },
  });
  const gathered = new GatheredWrites(stream);
  return { writes, stream, say: (text) => void gathered.write(() => stream.write(text)) };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

it("what is written first in a turn goes out at once, and the rest of the turn in one write", async () => {
  const { writes, say } = recorder();
  say("first");
  expect(writes).toEqual([["first"]]);
  for (const text of ["second", "third", "fourth"]) say(text);
  expect(writes).toEqual([["first"]]);
  await nextTurn();
  expect(writes).toEqual([["first"], ["second", "third", "fourth"]]);
  say("next turn");
  expect(writes.at(-1)).toEqual(["next turn"]);
});

it("much in one turn goes out in pieces, so that the other side can begin, and nothing changes places", async () => {
  const { writes, say } = recorder();
  const texts = Array.from({ length: 100 }, (_, at) => `${at} `.padEnd(1_000, "x"));
  texts.forEach(say);
  expect(writes.length).toBeGreaterThan(3);
  expect(writes.length).toBeLessThan(10);
  await nextTurn();
  expect(writes.flat()).toEqual(texts);
});

it("a stream that ends in the middle of a turn has got everything", async () => {
  const { writes, say, stream } = recorder();
  for (const text of ["first", "second", "third"]) say(text);
  stream.end();
  await nextTurn();
  expect(writes.flat()).toEqual(["first", "second", "third"]);
});
