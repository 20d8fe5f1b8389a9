import { expect, test } from "vitest";
import { likelyServers, ownServers } from "../../src/control/choose.ts";
import type { Descriptor } from "../../src/control/descriptor.ts";

function server(pid: number, session: string | undefined, place: string): Descriptor {
  return { pid, endpoint: `/e/${pid}`, token: "", session, place };
}
const A = server(1, "session-a", "/projects/shop");
const B = server(2, "session-b", "/projects/shop");
const C = server(3, undefined, "/projects/api");
const ALL = [A, B, C];
const pids = (servers: readonly Descriptor[]): number[] => servers.map(({ pid }) => pid);

test.each([
  ["the same session wins over the folder", { session: "session-b", place: "/projects/api" }, [2]],
  ["a session with a new id is known by its folder", { session: "cleared", place: "/projects/api" }, [3]],
  ["two in the folder are both likely", { session: undefined, place: "/projects/shop" }, [1, 2]],
  ["in a foreign folder all are", { session: undefined, place: "/home" }, [1, 2, 3]],
])("a command that somebody runs: %s", (_, own, expected) => {
  expect(pids(likelyServers(ALL, own))).toEqual(expected);
});

test.each([
  ["the same session", { session: "session-a", place: "/elsewhere" }, [1]],
  ["not another session in the same folder", { session: "session-c", place: "/projects/shop" }, []],
  ["a server without a session, by its folder", { session: "session-c", place: "/projects/api" }, [3]],
  ["a watcher without a session, by its folder", { session: undefined, place: "/projects/shop" }, [1, 2]],
  ["never the only one of a foreign folder", { session: undefined, place: "/home" }, []],
])("a watcher that nobody asked: %s", (_, own, expected) => {
  expect(pids(ownServers(ALL, own))).toEqual(expected);
});
