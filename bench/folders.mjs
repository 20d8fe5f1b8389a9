/**
 * A folder of many small files through `tunnel_share` and `tunnel_receive` on loopback, in files per second: two server processes, each
 * driven by an MCP client of the SDK, from the call of `tunnel_receive` to its answer, when every file is written, verified and the
 * whole is in its place. Both ways. The files lie on a RAM disk where there is one.
 *
 * The floor, in the same two roles and the same run: `tar` of the folder over bare `ws`, unpacked at the other end. It makes a pair with
 * the program. What it does not have: sealing and opening, a hash of each file, a check that each is still the one that was
 * shared, names that are looked at, and that all of it appears at once.
 *
 * Beside it: how long sharing takes (each file is read, hashed and searched), and how far the peak of resident memory is above what was
 * held before.
 *
 *   node bench/folders.mjs [--pairs 30] [--files 10000] [--kib 4]
 */
import { randomFillSync } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { costOf, DIRECTIONS, placeFor, receive, share, withRoom } from "./files-room.mjs";
import { intervalText, isAtLeast, LEAST_PAIRS, measurePairs } from "./pairs.mjs";
import { counts, isMain, print, rounded, summary, withFolder, withPrograms, withSides } from "./support.mjs";

const KIB = 1024;
/** Of tar over bare ws. */
const TARGET_SHARE = 0.3;
const TARGET_GROWTH_MB = 60;
const FILES_PER_FOLDER = 100;

export async function measureFolders(programs, { pairs, files, kib }) {
  const bytes = files * kib * KIB;
  const { parent, what } = await placeFor(bytes + files * KIB);
  return withFolder(parent, async (folder) => {
    const folders = {
      sender: path.join(folder, "sender"),
      receiver: path.join(folder, "receiver"),
      source: path.join(folder, "sender", "source"),
    };
    await mkdir(folders.source, { recursive: true });
    await mkdir(folders.receiver);
    await makeTree(folders.source, { files, bytes: kib * KIB });
    const directions = {};
    for (const [name, direction] of Object.entries(DIRECTIONS))
      directions[name] = await measured({ programs, folders, files, pairs }, direction);
    return { unit: "files/s", files, bytes, storage: what, directions };
  });
}

/** Text, so that it is searched, and different in every file. */
async function makeTree(source, { files, bytes }) {
  for (let at = 0; at < files; at += 1) {
    const folder = path.join(source, `folder-${Math.floor(at / FILES_PER_FOLDER)}`);
    if (at % FILES_PER_FOLDER === 0) await mkdir(folder);
    const line = randomFillSync(Buffer.alloc(24)).toString("hex");
    const words = `file ${at} of many: ${line.replaceAll(/(.{8})/g, "$1 ")}\n`;
    await writeFile(path.join(folder, `file-${at}.txt`), words.repeat(bytes).slice(0, bytes));
  }
}

async function measured(run, direction) {
  const each = { program: [], tar: [] };
  const rateOf = (step, measure) => async () => {
    const cost = await measure(run, direction);
    each[step].push(cost);
    return cost.rate;
  };
  const { ratio } = await measurePairs({
    measured: rateOf("program", transfer),
    floor: rateOf("tar", bare),
    pairs: run.pairs,
  });
  const program = costs(each.program);
  return {
    title: direction.title,
    measured: program,
    sharing: {
      what: "reading, hashing and searching it first",
      ...costs(each.program.map(({ sharing }) => sharing)),
    },
    baseline: { what: "tar of it over bare ws", ...costs(each.tar) },
    ratio,
    target: TARGET_SHARE,
    met: isAtLeast(ratio, TARGET_SHARE),
    peakGrowth: peakGrowth(program),
  };
}

/** A room of its own each time: the first folder is the one that a user sends. */
function transfer({ programs, folders, files }, { room, roles }) {
  return withRoom(programs, room(folders), async (host, guest) => {
    const { sender, receiver } = roles(host, guest);
    const target = path.join(folders.receiver, "received");
    let offered;
    const sharing = await costOf({ sender: sender.pid }, async () => {
      offered = await share(sender, receiver, { paths: [folders.source] });
    });
    const pids = { sender: sender.pid, receiver: receiver.pid };
    const receiving = await costOf(pids, () => receive(receiver, offered, target));
    await rm(target, { recursive: true });
    return { sharing: perSecond(files, sharing), ...perSecond(files, receiving) };
  });
}

function bare({ programs, folders, files }, { roles }) {
  return withSides([programs.folders, programs.folders], async (host, guest) => {
    const { sender, receiver } = roles(host, guest);
    await guest.call("dial", await host.call("open"));
    const target = path.join(folders.receiver, "unpacked");
    await mkdir(target);
    const cost = await costOf({ sender: sender.pid, receiver: receiver.pid }, () =>
      Promise.all([
        receiver.call("receive", { folder: target }),
        sender.call("send", { folder: folders.source }),
      ]),
    );
    await rm(target, { recursive: true });
    return perSecond(files, cost);
  });
}

const perSecond = (files, { ms, ...rest }) => ({ rate: files / (ms / 1e3), ...rest });

function costs(found) {
  const speed = summary(found.map(({ rate }) => rate));
  if (found[0].cpuSeconds === undefined) return { ...speed, costs: { skipped: "read on Linux only" } };
  const each = (of) => Object.fromEntries(Object.keys(found[0].cpuSeconds).map((name) => [name, of(name)]));
  return {
    ...speed,
    cpuSeconds: each((name) => summary(found.map((one) => one.cpuSeconds[name])).median),
    growthMB: each((name) => rounded(Math.max(...found.map((one) => one.growthMB[name])))),
  };
}

function peakGrowth({ growthMB }) {
  if (growthMB === undefined) return { skipped: "read on Linux only" };
  const worst = Math.max(...Object.values(growthMB));
  return { unit: "MB", worst, target: TARGET_GROWTH_MB, met: worst <= TARGET_GROWTH_MB };
}

/** The lines of this benchmark in the table of run.mjs. */
export function folderRows({ files, bytes, directions }) {
  const what = `${files} files of ${rounded(bytes / files / KIB)} KiB`;
  const verdict = (met) => (met ? "met" : "MISSED");
  return Object.values(directions).flatMap(
    ({ title, measured, baseline, ratio, target, met, peakGrowth: growth }) => [
      [
        `${what}, ${title}`,
        `${measured.median} files/s`,
        `${measured.min} files/s`,
        `${baseline.median} files/s`,
        `x ${intervalText(ratio)}`,
        `at least x ${target}`,
        verdict(met),
      ],
      growth.skipped === undefined
        ? [
            `peak growth, ${what}, ${title}`,
            "",
            "",
            "",
            `${growth.worst} MB`,
            `${growth.target} MB`,
            verdict(growth.met),
          ]
        : [`peak growth, ${what}, ${title}`, growth.skipped, "", "", "", "", "skipped"],
    ],
  );
}

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS, files: 10_000, kib: 4 });
  print(await withPrograms((programs) => measureFolders(programs, options)));
}
