import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, expect, it } from "vitest";
import { room, share, type Side } from "../services/scene.ts";
import { program } from "./programs.ts";
import { folderOf, run, serve, stopServers, unprivileged, type Ran } from "./server.ts";

let target: number;
beforeAll(async () => {
  const user = unprivileged("postgres");
  const folder = folderOf(user);
  const made = spawnSync(program("initdb"), ["-D", folder, "-A", "trust", "-U", "tester", "--no-sync"], {
    ...user,
    encoding: "utf8",
    cwd: "/",
  });
  if (made.status !== 0) throw new Error(made.stderr);
  const settings = [
    "-c",
    "listen_addresses=127.0.0.1",
    "-c",
    `unix_socket_directories=${folder}`,
    "-c",
    "fsync=off",
  ];
  target = await serve(program("postgres"), (port) => ["-D", folder, "-p", String(port), ...settings], {
    ...user,
    cwd: "/",
  });
});
afterAll(stopServers);

/** Ben's psql, at the port that ana's server has on ben's machine. */
async function taken(): Promise<{
  ana: Side;
  serviceId: string;
  psql: (sql: string, input?: string) => Promise<Ran>;
}> {
  const { ana, ben } = await room(["ben"]);
  const { serviceId, listening } = await share(ana, ben, { target, name: "db", to: ["ben"] });
  const { host, port } = listening;
  const args = [
    "-X",
    "-A",
    "-t",
    "-q",
    "-v",
    "ON_ERROR_STOP=1",
    "-h",
    host,
    "-p",
    String(port),
    "-U",
    "tester",
    "-d",
    "postgres",
  ];
  return {
    ana,
    serviceId,
    psql: (sql, input) =>
      run(program("psql"), [...args, "-c", sql], {
        ...(input === undefined ? {} : { input }),
        env: { PGCONNECT_TIMEOUT: "10" },
      }),
  };
}

it("psql logs in, asks, and is told of errors", async () => {
  const { psql } = await taken();
  expect(await psql("select 6 * 7")).toMatchObject({ code: 0, out: "42\n" });
  expect(await psql("select * from nothing")).toMatchObject({
    code: 1,
    err: expect.stringContaining("does not exist"),
  });
});

it("rows go both ways whole: 20 MB in by COPY, and 40 MB out", async () => {
  const { psql } = await taken();
  await psql("create table rows (n int, word text)");
  const lines = Array.from({ length: 200_000 }, (_, n) => `${n}\t${"x".repeat(90)}\n`).join("");
  expect(await psql("copy rows from stdin", lines)).toMatchObject({ code: 0, err: "" });
  expect((await psql("select count(*), sum(n), sum(length(word)) from rows")).out).toBe(
    "200000|19999900000|18000000\n",
  );
  const { out } = await psql("copy (select n, word || word from rows order by n) to stdout");
  expect(out.length).toBe(lines.length + 200_000 * 90);
  expect(out.endsWith(`199999\t${"x".repeat(180)}\n`)).toBe(true);
});

it("thirty clients at a time each get their own answer", async () => {
  const { psql } = await taken();
  const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => psql(`select pg_sleep(0.2), ${n}`)));
  expect(answers.map(({ out }) => out)).toEqual(Array.from({ length: 30 }, (_, n) => `|${n}\n`));
});

it("a statement that runs is cut when the offer is withdrawn, and psql says so", async () => {
  const { ana, serviceId, psql } = await taken();
  const running = psql("select pg_sleep(60)");
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await ana.services.stop(serviceId);
  expect(await running).toMatchObject({ code: 2, err: expect.stringMatching(/closed|reset|lost/i) });
  expect(await psql("select 1")).toMatchObject({ code: 2, err: expect.stringContaining("refused") });
});
