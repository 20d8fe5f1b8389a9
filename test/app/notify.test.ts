import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { notifyPerson } from "../../src/app/notifier.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";

/** Writes down how it was started, one line for each time. */
const PROGRAM =
  "require('fs').appendFileSync(process.argv[1], JSON.stringify({ args: process.argv.slice(2), env: Object.keys(process.env), all: Object.values(process.env) }) + '\\n')";
const started = z.object({
  args: z.array(z.string()),
  env: z.array(z.string()),
  all: z.array(z.string()),
});

const sides: Sessions[] = [];
let folder = "";
let stop = async (): Promise<void> => undefined;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "notify-"));
});
afterEach(async () => {
  await stop();
  await Promise.all(sides.splice(0).map((one) => one.shutDown()));
  await rm(folder, { recursive: true, force: true });
});

it("a person's program is told the kind and the tunnel, no word of anybody and no setting, and not again at once", async () => {
  const file = path.join(folder, "calls; touch x");
  const [anas, bens] = [sessionsOn(systemClock, { gates: ["hold-in"] }), sessionsOn(systemClock)];
  sides.push(anas, bens);
  stop = notifyPerson({
    sessions: anas,
    clock: systemClock,
    command: [process.execPath, "-e", PROGRAM, file],
    env: { ...process.env, TUNNEL_NAME: "ana-setting", TUNNEL_NOTIFY: "[]" },
    cwd: folder,
  });
  const { hosting, invites } = await anas.host(hostRequest());
  const guest = await bens.join(joinRequest(invites[0]?.joinLink));
  await guest.say({ text: "please $(touch y) look" });
  await guest.say({ text: "and again" });
  await expect.poll(() => anas.overseer.asks.waiting.length).toBe(2);
  const read = (): Promise<string> => readFile(file, "utf8").catch(() => "");
  await expect.poll(read, { timeout: 8_000 }).toMatch(/\n$/);
  await stop();
  const calls = (await read()).trimEnd().split("\n");
  expect(calls).toHaveLength(1);
  const { args, env, all } = started.parse(JSON.parse(calls[0] ?? ""));
  expect(args).toEqual(["ask", hosting.tunnelId]);
  expect(env.filter((name) => name.startsWith("TUNNEL_"))).toEqual([]);
  expect(all.join(" ")).not.toMatch(/ana-setting|touch y|and again/);
});
