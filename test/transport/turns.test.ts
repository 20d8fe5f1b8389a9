import { expect, it } from "vitest";
import { Turns } from "../../src/transport/turns.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Item {
  readonly name: number;
  readonly length: number;
}

const short = (name: number): Item => ({ name, length: 256 });

function watched() {
  const done: string[] = [];
  const waits: [string, boolean][] = [];
  const turns = new Turns<string, Item>(
    (key, { name }) => void done.push(`${key}${name}`),
    (key, isWaiting) => void waits.push([key, isWaiting]),
  );
  return { done, waits, turns };
}

it("[E4] of what came at once each connection has four, then the others have their turn, and nothing is lost or out of order", async () => {
  const { done, waits, turns } = watched();
  for (let item = 1; item <= 10; item += 1) turns.add("a", short(item));
  turns.add("b", short(1));
  expect(done).toEqual(["a1", "a2", "a3", "a4", "b1"]);
  expect([turns.isWaiting("a"), turns.isWaiting("b"), waits]).toEqual([true, false, [["a", true]]]);
  await turn();
  turns.add("b", short(2));
  expect(done.slice(5)).toEqual(["a5", "a6", "a7", "a8", "b2"]);
  // What comes now is behind what waits.
  turns.add("a", short(11));
  await turn();
  expect(done.slice(10)).toEqual(["a9", "a10", "a11"]);
  expect(waits).toEqual([
    ["a", true],
    ["a", false],
  ]);
  await turn();
  turns.add("a", short(12));
  expect(done.at(-1)).toBe("a12");
});

it("[E4] a connection that is over has what waits of it handled first", () => {
  const { done, turns } = watched();
  for (let item = 1; item <= 6; item += 1) turns.add("a", short(item));
  turns.finish("a");
  expect(done).toEqual(["a1", "a2", "a3", "a4", "a5", "a6"]);
  expect(turns.isWaiting("a")).toBe(false);
});

it("[E4] one long message is a turn", async () => {
  const { done, turns } = watched();
  for (const name of [1, 2]) turns.add("a", { name, length: 65_536 });
  expect(done).toEqual(["a1"]);
  await turn();
  expect(done).toEqual(["a1", "a2"]);
});

it("[E5] a connection that is held has nothing handled until it is released, and then goes on in order", async () => {
  const { done, waits, turns } = watched();
  turns.add("a", short(1));
  turns.hold("a");
  for (const name of [2, 3]) turns.add("a", short(name));
  turns.add("b", short(1));
  await turn();
  await turn();
  expect([done, turns.isWaiting("a")]).toEqual([["a1", "b1"], true]);
  turns.release("a");
  await turn();
  expect(done).toEqual(["a1", "b1", "a2", "a3"]);
  expect(waits).toEqual([
    ["a", true],
    ["a", false],
  ]);
});

it("[E5] a connection that is held in its turn stops there", async () => {
  const done: number[] = [];
  const turns: Turns<string, Item> = new Turns(
    (key, { name }) => {
      done.push(name);
      if (name === 6) turns.hold(key);
    },
    () => undefined,
  );
  for (let item = 1; item <= 8; item += 1) turns.add("a", short(item));
  await turn();
  await turn();
  expect(done).toEqual([1, 2, 3, 4, 5, 6]);
  turns.finish("a");
  expect(done).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});
