import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { unfenced } from "../support/agent.ts";
import { holdAfter, parts, release } from "../support/files/file-agents.ts";
import { until } from "../support/processes.ts";
import { Chance } from "../support/random.ts";
import { filesOf, processesOf } from "./left.ts";
import type { Side } from "./side.ts";
import { meet, WAYS, type Scene } from "./ways.ts";

/** Servers end again and again in the middle of a conversation and of a file, and nothing is lost, doubled or left behind. */

/** Ends of the servers of each side, by transport and by how they end. `TUNNEL_TEST_RESTARTS=50 npm run test:restarts` is the proof. */
const ENDS = Number(process.env["TUNNEL_TEST_RESTARTS"] ?? 1);
const FILE_BYTES = 2 * 1024 * 1024;
/** Nothing is left so long after the end, in ms. */
const LEFT_MS = 10_000;

const hashOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
const median = (times: readonly number[]): number =>
  Math.round(times.toSorted((one, two) => one - two)[times.length >> 1] ?? 0);

interface Course {
  readonly resumed: number[];
  readonly started: number[];
  /** Ends at which a part of the file had come, and not all of it. */
  inMidFile: number;
}

interface Round {
  readonly number: number;
  readonly victim: Side;
  readonly how: "killed" | "closed";
  readonly sender: Side;
  readonly receiver: Side;
}

/** A file goes from one side to the other; when some of it has come, one of their servers ends, and another takes up the stay. */
async function endOnce({ wire, host }: Scene, round: Round, course: Course, chance: Chance): Promise<void> {
  const { number, victim, how, sender, receiver } = round;
  const name = `file-${number}.bin`;
  writeFileSync(sender.path(name), randomBytes(FILE_BYTES));
  const { fileId } = await sender.agent.call("tunnel_share", { path: name });
  await receiver.offered(fileId ?? "");
  const { newest } = wire;
  if (newest === undefined) throw new Error("nobody came over the proxy");
  const direction = sender === host ? "toGuest" : "toHost";
  holdAfter(newest, direction, FILE_BYTES / 4 + chance.below(FILE_BYTES / 2));
  const receiving = receiver.agent
    .call("tunnel_receive", { fileId, savePath: receiver.path(name) })
    .catch(() => undefined);
  await until("some of the file has come", () => parts(receiver.agent).length > 0 || receiver.has(name));
  await sleep(chance.below(200));
  await victim.end(how);
  if (parts(receiver.agent).length > 0 && !receiver.has(name)) course.inMidFile += 1;
  release(newest);
  await sleep(chance.below(200));
  const { resumed, started } = await victim.back();
  course.resumed.push(resumed);
  course.started.push(started);
  victim.talk();
  await receiving;
  await until(`${name} has come`, () => receiver.has(name), 60_000);
  expect(hashOf(receiver.path(name))).toBe(hashOf(sender.path(name)));
}

/** All that was taken is heard once and in its order; a word without an answer at most once. */
function expectOnce(speaker: Side, listener: Side): void {
  const heard = listener.heard
    .filter(({ kind, text }) => kind === "chat" && unfenced(text).startsWith(`${speaker.name} `))
    .map(({ text }) => unfenced(text));
  const wasHeard = new Set(heard);
  expect(heard).toEqual(
    speaker.said.filter(({ text, isTaken }) => isTaken || wasHeard.has(text)).map(({ text }) => text),
  );
  expect(listener.doubled).toEqual([]);
  const places = listener.heard.filter(({ kind }) => kind === "chat").map(({ seq }) => seq);
  expect(places).toEqual([...new Set(places)].toSorted((one, two) => one - two));
}

/** Ends the room and its servers. */
async function expectNothingLeft({ host, guest, places }: Scene): Promise<void> {
  const [states = ""] = places;
  const files = (): string[] => [...filesOf(host, states), ...filesOf(guest, states)];
  const left = (): string[] => [...files(), ...processesOf(places)];
  // It looks in the right places: something is there as long as the room is.
  expect(Math.min(files().length, processesOf(places).length)).toBeGreaterThan(1);
  await host.agent.call("tunnel_close");
  await Promise.all([host.end("closed"), guest.end("closed")]);
  await until("nothing is left", () => left().length === 0, LEFT_MS).catch(() => undefined);
  expect(left()).toEqual([]);
}

describe.skipIf(process.platform !== "linux")("servers that end (counted where /proc is: Linux)", () => {
  for (const way of WAYS)
    for (const how of ["killed", "closed"] as const)
      it(
        `${way}: ${how} ${ENDS} times on each side, all comes once, and nothing is left`,
        async () => {
          const began = performance.now();
          const scene = await meet(way);
          const { host, guest, starts } = scene;
          const course: Course = { resumed: [], started: [], inMidFile: 0 };
          const chance = new Chance(ENDS);
          host.talk();
          guest.talk();
          for (let number = 0; number < 2 * ENDS; number += 1) {
            const victim = number % 2 === 0 ? host : guest;
            // Of both sides, whose server ends sends as often as it receives.
            const [sender, receiver] = (number + (number >> 1)) % 2 === 0 ? [host, guest] : [guest, host];
            await endOnce(scene, { number, victim, how, sender, receiver }, course, chance);
          }
          await Promise.all([host.quiet(), guest.quiet()]);
          await host.say("ana ends");
          await guest.say("ben ends");
          await Promise.all([host.hear("ben ends"), guest.hear("ana ends")]);
          expectOnce(host, guest);
          expectOnce(guest, host);
          // Buffers of a relay may have brought all of a file before it stood still; of many ends most are in the middle.
          expect(course.inMidFile).toBeGreaterThanOrEqual(ENDS - 1);
          // One program, one link, and nobody had to be told of another.
          expect(starts()).toBeLessThanOrEqual(1);
          for (const { heard } of [host, guest])
            expect(heard.filter(({ event = "" }) => event.startsWith("address-"))).toEqual([]);
          for (const { agent } of [host, guest])
            expect((await agent.call("tunnel_status"))["alarms"]).toBeUndefined();
          await expectNothingLeft(scene);
          report(way, how, scene, course, performance.now() - began);
        },
        120_000 + 60_000 * ENDS,
      );
});

function report(
  way: string,
  how: string,
  { host, guest }: Scene,
  { resumed, started }: Course,
  tookMs: number,
): void {
  const said = host.said.length + guest.said.length;
  const words = [
    `${way}, ${how}: ${resumed.length} ends in ${Math.round(tookMs / 1_000)} s`,
    `${said} messages, ${host.unanswered + guest.unanswered} of them without an answer`,
    `${resumed.length} files in the middle`,
    `resume ${median(resumed)} ms (at most ${Math.round(Math.max(...resumed))}), with the start ${median(started)} ms`,
  ];
  process.stdout.write(`${words.join("; ")}\n`);
}
