import { afterAll, beforeAll, expect, it } from "vitest";
import { room, share } from "../services/scene.ts";
import { program } from "./programs.ts";
import { folderOf, run, serve, stopServers, unprivileged, type Ran } from "./server.ts";

let target: number;
beforeAll(async () => {
  const user = unprivileged("nobody");
  const dir = folderOf(user);
  const args = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir];
  target = await serve(program("redis-server"), (port) => ["--port", String(port), ...args], {
    ...user,
    cwd: dir,
  });
});
afterAll(stopServers);

async function cli(): Promise<(args: readonly string[], input?: string) => Promise<Ran>> {
  const { ana, ben } = await room(["ben"]);
  const { listening } = await share(ana, ben, { target, name: "cache", to: ["ben"] });
  const at = ["-h", listening.host, "-p", String(listening.port)];
  return (args, input) => run(program("redis-cli"), [...at, ...args], input === undefined ? {} : { input });
}

it("redis-cli sets, gets and counts", async () => {
  const redis = await cli();
  expect((await redis(["ping"])).out).toBe("PONG\n");
  expect((await redis(["set", "word", "from ben"])).out).toBe("OK\n");
  expect((await redis(["get", "word"])).out).toBe("from ben\n");
});

it("200,000 commands in one pipe are each answered", async () => {
  const redis = await cli();
  const commands = Array.from({ length: 200_000 }, (_, n) => `INCRBY total ${n % 7}\r\n`).join("");
  const { code, out } = await redis(["--pipe"], commands);
  expect([code, out]).toEqual([0, expect.stringContaining("errors: 0, replies: 200000")]);
  const total = Array.from({ length: 200_000 }, (_, n) => n % 7).reduce((sum, one) => sum + one, 0);
  expect((await redis(["get", "total"])).out).toBe(`${total}\n`);
});

it("a client that waits for a queue is answered when another one pushes", async () => {
  const redis = await cli();
  const listening = redis(["--csv", "-r", "1", "blpop", "queue", "10"]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await redis(["rpush", "queue", "news"]);
  expect((await listening).out).toBe('"queue","news"\n');
});
