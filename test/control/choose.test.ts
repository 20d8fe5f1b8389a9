import { expect, test } from "vitest";
import { likelyServers, ownServers } from "../../src/control/choose.ts";
import type { Descriptor } from "../../src/control/descriptor.ts";

function server(pid: number, session: string | undefined, folder: string): Descriptor {
  return { pid, endpoint: `/e/${pid}`, token: "", session, folder };
}
const A = server(1, "session-a", "/projects/shop");
const B = server(2, "session-b", "/projects/shop");
const C = server(3, undefined, "/projects/api");
const ALL = [A, B, C];
const pids = (servers: readonly Descriptor[]): number[] => servers.map(({ pid }) => pid);

test.each([
  ["the same session wins over the folder", { session: "session-b", folder: "/projects/api" }, [2]],
  ["a session with a new id is known by its folder", { session: "cleared", folder: "/projects/api" }, [3]],
  ["two in the folder are both likely", { session: undefined, folder: "/projects/shop" }, [1, 2]],
  ["in a foreign folder all are", { session: undefined, folder: "/home" }, [1, 2, 3]],
])("a command that somebody runs: %s", (_, own, expected) => {
  expect(pids(likelyServers(ALL, own))).toEqual(expected);
});

test.each([
  ["the same session", { session: "session-a", folder: "/elsewhere" }, [1]],
  ["not another session in the same folder", { session: "session-c", folder: "/projects/shop" }, []],
  ["a server without a session, by its folder", { session: "session-c", folder: "/projects/api" }, [3]],
  ["a watcher without a session, by its folder", { session: undefined, folder: "/projects/shop" }, [1, 2]],
  ["never the only one of a foreign folder", { session: undefined, folder: "/home" }, []],
])("a watcher that nobody asked: %s", (_, own, expected) => {
  expect(pids(ownServers(ALL, own))).toEqual(expected);
});
