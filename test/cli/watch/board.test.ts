import { expect, it } from "vitest";
import { Board } from "../../../src/cli/watch/board.ts";
import { askOf, asked, FakeServer, hello, tunnelOf } from "./support.ts";

const [one, two] = [new FakeServer("1"), new FakeServer("2")];

it("keeps what waits, oldest first, until it is decided or its server has gone", () => {
  const board = new Board();
  board.heard(one, hello([tunnelOf()], [askOf(2, "later", { askedAt: "2027-01-15T09:00:00.000Z" })]));
  board.heard(two, hello([tunnelOf("bbbb")], [askOf(1, "first", { tunnelId: "bbbb" })]));
  expect(board.waiting.map(({ ask }) => ask.ask)).toEqual([1, 2]);
  board.heard(one, asked(askOf(2, "later", { state: "refused" })));
  expect(board.waiting.map(({ ask }) => ask.ask)).toEqual([1]);
  board.gone(two);
  expect([board.waiting, board.open.length]).toEqual([[], 1]);
});

it("H12: a server that comes again begins with what waits then", () => {
  const board = new Board();
  board.heard(one, hello([tunnelOf()], [askOf(1, "old")]));
  board.gone(one);
  const again = new FakeServer("1");
  board.heard(again, hello([tunnelOf()], [askOf(2, "new")]));
  expect(board.waiting.map(({ ask, server }) => [ask.ask, server])).toEqual([[2, again]]);
});

it("calls an ask by its number, and by its tunnel as well while another server has the same one", () => {
  const board = new Board();
  const [a, b] = [askOf(3, "a"), askOf(3, "b", { tunnelId: "bbbb" })];
  board.heard(one, hello([tunnelOf()], [a]));
  expect(board.nameOf({ ask: a })).toBe("3");
  board.heard(two, hello([tunnelOf("bbbb")], [b]));
  expect([board.nameOf({ ask: a }), board.nameOf({ ask: b })]).toEqual(["3@aaaa", "3@bbbb"]);
  // The end of one must not read as the end of the other, which still waits.
  const over = { ...a, state: "approved" } as const;
  board.heard(one, asked(over));
  expect([board.nameOf({ ask: over }), board.nameOf({ ask: b })]).toEqual(["3@aaaa", "3"]);
});

it("knows which tunnels are open", () => {
  const board = new Board();
  board.heard(one, hello([tunnelOf(), tunnelOf("cccc", { ended: { cause: "idle", because: "idle" } })]));
  expect(board.open.map(({ tunnel }) => tunnel.tunnelId)).toEqual(["aaaa"]);
  expect(board.tunnel("cccc")?.ended?.cause).toBe("idle");
  expect(board.tunnel("none")).toBeUndefined();
});
