/**
 * A large file through `tunnel_share` and `tunnel_receive` on loopback, in MiB/s: two server processes, each driven by an MCP
 * client of the SDK, from the call of `tunnel_receive` to its answer, when the file is written, verified and in its place.
 * Both ways, and as information from guest to guest through the host. The files lie on a RAM disk where there is one.
 *
 * The floors, in the same two roles:
 *   - `file`: the same file over bare `ws` with its default options, read, sent in messages of 128 KiB with a bound on what waits
 *     to be sent, and written at the other end. It makes a pair with the program;
 *   - `memory`: as many bytes of memory over bare `ws` to nowhere, beside the first pairs.
 * What the floors do not have: sealing and opening the chunk, sealing and opening the record around it, hashing what was
 * written, credit, and the check that the file is still the one that was shared.
 *
 * Beside it: processor time, how far the peak of resident memory is above what was held before, and messages meanwhile (see
 * files-chat.mjs).
 *
 *   node bench/files.mjs [--pairs 30] [--samples 3] [--mib 256]     (samples: of the second floor, and of guest to guest)
 */
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { AT_ONCE, measureChat } from "./files-chat.mjs";
import {
  costOf,
  DIRECTIONS,
  foldersIn,
  makeSource,
  MIB,
  placeFor,
  receive,
  share,
  withRoom,
} from "./files-room.mjs";
import { intervalText, isAtLeast, LEAST_PAIRS, measurePairs } from "./pairs.mjs";
import { counts, isMain, print, rounded, summary, withFolder, withPrograms, withSides } from "./support.mjs";

/** Of bare ws: what must be reached, and the earlier aim. */
const TARGET_SHARE = 0.5;
const EARLIER_TARGET_SHARE = 0.6;
const TARGET_GROWTH_MB = 40;
const NOT_READABLE = "costs of a process are read on Linux only";

export async function measureFiles(programs, { pairs, samples, mib }) {
  const bytes = mib * MIB;
  const { parent, what } = await placeFor(bytes);
  return withFolder(parent, async (folder) => {
    const folders = foldersIn(folder);
    for (const one of [folders.sender, folders.receiver, folders.between]) await mkdir(one);
    await makeSource(folders.source, bytes);
    const run = { programs, folders, bytes };
    const found = await rounds(run, { pairs, samples });
    const chat = await measureChat(programs, folders);
    const directions = Object.fromEntries(
      Object.entries(DIRECTIONS).map(([name, { title }]) => [name, judged(title, found[name])]),
    );
    return {
      unit: "MiB/s",
      bytes,
      storage: what,
      directions,
      relay: { title: "guest to guest through the host", ...costs(found.relay) },
      chat,
    };
  });
}

/** Of each direction the pairs, and all that each run has cost. */
async function rounds(run, { pairs, samples }) {
  const found = { relay: [] };
  for (const [name, direction] of Object.entries(DIRECTIONS)) {
    const each = { program: [], file: [], memory: [] };
    const rateOf = (step, measure) => async () => {
      const cost = await measure();
      each[step].push(cost);
      return cost.rate;
    };
    const { ratio } = await measurePairs({
      measured: rateOf("program", () => transfer(run, direction)),
      floor: rateOf("file", () => bare(run, direction, true)),
      beside: {
        memory: async () => {
          if (each.memory.length < samples) each.memory.push(await bare(run, direction, false));
          return each.memory.at(-1).rate;
        },
      },
      pairs,
    });
    found[name] = { ...each, ratio };
  }
  for (let round = 0; round < samples; round += 1) found.relay.push(await relayed(run));
  return found;
}

/** A room of its own each time: the first file is the one that a user sends. */
function transfer({ programs, folders, bytes }, { room, roles }) {
  return withRoom(programs, room(folders), async (host, guest) => {
    const { sender, receiver } = roles(host, guest);
    return received({ sender, receiver }, {}, { folders, bytes });
  });
}

function relayed({ programs, folders, bytes }) {
  const { sender, receiver, between } = folders;
  return withRoom(programs, { host: between, guests: [sender, receiver] }, (host, from, to) =>
    received({ sender: from, receiver: to }, { host: host.pid }, { folders, bytes }),
  );
}

async function received({ sender, receiver }, others, { folders, bytes }) {
  const pids = { sender: sender.pid, receiver: receiver.pid, ...others };
  const target = path.join(folders.receiver, "received.bin");
  let offered;
  const sharing = await costOf({ sender: sender.pid }, async () => {
    offered = await share(sender, receiver, { path: folders.source });
  });
  const receiving = await costOf(pids, () => receive(receiver, offered, target));
  await rm(target);
  return { sharing: perSecond(bytes, sharing), ...perSecond(bytes, receiving) };
}

function bare({ programs, folders, bytes }, { roles }, isFile) {
  return withSides([programs.files, programs.files], async (host, guest) => {
    const { sender, receiver } = roles(host, guest);
    await guest.call("dial", await host.call("open"));
    const target = path.join(folders.receiver, "bare.bin");
    const cost = await costOf({ sender: sender.pid, receiver: receiver.pid }, () =>
      Promise.all([
        receiver.call("receive", { bytes, ...(isFile ? { file: target } : {}) }),
        sender.call("send", { bytes, ...(isFile ? { file: folders.source } : {}) }),
      ]),
    );
    await rm(target, { force: true });
    return perSecond(bytes, cost);
  });
}

const perSecond = (bytes, { ms, ...rest }) => ({ rate: bytes / MIB / (ms / 1e3), ...rest });

function costs(found) {
  const [{ cpuSeconds }] = found;
  const speed = summary(found.map(({ rate }) => rate));
  if (cpuSeconds === undefined) return { ...speed, costs: { skipped: NOT_READABLE } };
  const each = (of) => Object.fromEntries(Object.keys(cpuSeconds).map((name) => [name, of(name)]));
  return {
    ...speed,
    cpuSeconds: each((name) => summary(found.map((one) => one.cpuSeconds[name])).median),
    othersSeconds: rounded(Math.max(...found.map(({ othersSeconds }) => othersSeconds))),
    growthMB: each((name) => rounded(Math.max(...found.map((one) => one.growthMB[name])))),
  };
}

function judged(title, { program, file, memory, ratio }) {
  const measured = costs(program);
  const baseline = { what: "the same file over bare ws", ...costs(file) };
  const fromMemory = { what: "as many bytes of memory over bare ws to nowhere", ...costs(memory) };
  return {
    title,
    measured,
    sharing: { what: "reading and hashing it first", ...costs(program.map(({ sharing }) => sharing)) },
    baseline,
    fromMemory,
    ratio,
    shareOfMemory: rounded(measured.median / fromMemory.median),
    target: TARGET_SHARE,
    met: isAtLeast(ratio, TARGET_SHARE),
    earlierTarget: EARLIER_TARGET_SHARE,
    metEarlier: isAtLeast(ratio, EARLIER_TARGET_SHARE),
    peakGrowth: peakGrowth(measured),
  };
}

function peakGrowth({ growthMB }) {
  if (growthMB === undefined) return { skipped: NOT_READABLE };
  const worst = Math.max(...Object.values(growthMB));
  return { unit: "MB", worst, target: TARGET_GROWTH_MB, met: worst <= TARGET_GROWTH_MB };
}

/** The lines of this benchmark in the table of run.mjs. */
export function fileRows({ directions, relay, chat }) {
  const speed = Object.values(directions).map(({ title, measured, baseline, ratio, target, met }) => [
    `file ${title}`,
    `${measured.median} MiB/s`,
    `${measured.min} MiB/s`,
    `${baseline.median} MiB/s`,
    `x ${intervalText(ratio)}`,
    `at least x ${target}`,
    verdict(met),
  ]);
  const memory = Object.values(directions).map(({ title, peakGrowth: growth, baseline }) =>
    growth.skipped === undefined
      ? [
          `peak growth, ${title}`,
          "",
          "",
          `${Math.max(...Object.values(baseline.growthMB))} MB`,
          `${growth.worst} MB`,
          `${growth.target} MB`,
          verdict(growth.met),
        ]
      : [`peak growth, ${title}`, growth.skipped, "", "", "", "", "skipped"],
  );
  const messages = Object.keys(directions).flatMap((name) =>
    AT_ONCE.map((count) => {
      const { title, idle, during } = chat[name];
      const worst = during[count].withFile.p95 > during[count].against.p95 ? "withFile" : "against";
      const { median, min, p95 } = during[count][worst];
      return [
        `message beside ${count} ${title}, p95`,
        ...[median, min, idle[worst].median, p95, chat.target].map((ms) => `${ms} ms`),
        verdict(during[count].met),
      ];
    }),
  );
  const through = ["file through the host", `${relay.median} MiB/s`, `${relay.min} MiB/s`, "", "", "", ""];
  return [...speed, ...memory, ...messages, through];
}

const verdict = (met) => (met ? "met" : "MISSED");

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS, samples: 3, mib: 256 });
  print(await withPrograms((programs) => measureFiles(programs, options)));
}
