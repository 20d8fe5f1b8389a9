/**
 * Runs the benchmarks, each with its baseline in the same run: one JSON object on stdout, a table for people on stderr.
 *
 *   node bench/run.mjs [--only startup,files] [--pairs 30] [--memory 12] [--throughput 5] [--burst 3]
 *                      [--recovery 30] [--outage 60] [--long 300] [--endurance 100000] [--strangers 5]
 *                      [--fanout 12000] [--fairness 3] [--filter 3] [--page 20] [--files 3] [--mib 256]
 *
 * `--pairs` is how often startup, exchange, filter-exchange, files and folders are measured in turn with their floors (see pairs.mjs). The other numbers
 * are samples, messages or deliveries: see each file. `--mib` is the size of a file; `--outage` and `--long` are the
 * seconds of the outages that recovery is measured after.
 */
import { measureBurst } from "./burst.mjs";
import { measureEndurance } from "./endurance.mjs";
import { measureExchange } from "./exchange.mjs";
import { measureFanout } from "./fanout.mjs";
import { measureFairness } from "./fairness.mjs";
import { measureFilter } from "./filter.mjs";
import { measureFilterExchange } from "./filter-exchange.mjs";
import { fileRows, measureFiles } from "./files.mjs";
import { folderRows, measureFolders } from "./folders.mjs";
import { measureMemory } from "./memory.mjs";
import { measurePage, pageRows } from "./page.mjs";
import { intervalText, LEAST_PAIRS } from "./pairs.mjs";
import { measureOutages, measureRecovery } from "./recovery.mjs";
import { measureStartup } from "./startup.mjs";
import { measureStrangers } from "./strangers.mjs";
import { counts, machine, print, withPrograms } from "./support.mjs";
import { measureThroughput } from "./throughput.mjs";

const ATTEMPTS = 300;
const BURST = 5_000;

/** What each is called, how it is run with its number, and which of its numbers is compared with its target. */
const BENCHES = {
  startup: {
    title: "spawn to initialize",
    run: (programs) => measureStartup(programs, { pairs }),
    row: ofPairs,
  },
  exchange: {
    title: "exchange both ways",
    run: (programs) => measureExchange(programs, { pairs }),
    row: ofPairs,
  },
  memory: {
    title: "idle host",
    number: 12,
    run: (programs, samples) => measureMemory(programs, { samples }),
    row: ({ measured, baseline, interval, target }) => [
      ...medians(measured, baseline, "MB"),
      `${intervalText(interval)} MB, at most ${measured.max}`,
      `${target} MB`,
    ],
  },
  throughput: {
    title: "one way, 200 bytes",
    number: 5,
    run: (programs, samples) => measureThroughput(programs, { samples }),
    row: ({ measured, baseline, share, target }) => [
      ...medians(measured, baseline, "/s"),
      `x ${share}`,
      `${target} /s`,
    ],
  },
  burst: {
    title: "burst of 5,000",
    number: 3,
    run: (programs, samples) => measureBurst(programs, { samples, messages: BURST }),
    row: ({ measured, baseline, share, target }) => [
      ...medians(measured, baseline, "/s"),
      `x ${share}`,
      `${target} /s`,
    ],
  },
  recovery: {
    number: 30,
    run: async (programs, samples) => ({
      ...(await measureRecovery(programs, { samples })),
      outages: await measureOutages(programs, { outage, long }),
    }),
    rows: ({ measured, baseline, target, met, outages }) => [
      verdict(
        "recovery after a cut",
        [...medians(measured, baseline, "ms"), `${measured.median} ms`, `${target} ms`],
        met,
      ),
      ...outages.map((one) =>
        verdict(
          `after ${one.seconds} s, dials ${one.kind}`,
          [...medians(one.measured, one.baseline, "ms"), `at most ${one.slowest} ms`, `${one.target} ms`],
          one.met,
        ),
      ),
    ],
  },
  endurance: {
    title: "host after many messages",
    number: 100_000,
    run: (programs, messages) => measureEndurance(programs, { messages }),
    row: ({ measured, baseline, target }) => [
      `${measured.settledLast} MB`,
      "",
      `${baseline.host.settledLast} MB`,
      `+ ${measured.growth} MB`,
      `+ ${target} MB`,
    ],
  },
  strangers: {
    title: "exchange beside 300 strangers",
    number: 5,
    run: (programs, samples) => measureStrangers(programs, { samples, attempts: ATTEMPTS }),
    row: ofRatio,
  },
  fanout: {
    title: "delivery in a room of 64, p95",
    number: 12_000,
    run: (programs, deliveries) => measureFanout(programs, { deliveries }),
    row: ({ measured, baseline, target }) => [
      ...medians(measured, baseline, "ms"),
      `${measured.p95} ms`,
      `${target} ms`,
    ],
  },
  fairness: {
    title: "delivery beside two hostile members, p95",
    number: 3,
    run: (programs, rounds) => measureFairness(programs, { rounds }),
    row: ({ measured, baseline, ratio, target }) => [
      ...[measured.p95, measured.min, baseline.p95].map((value) => `${value} ms`),
      `x ${ratio}`,
      `x ${target}`,
    ],
  },
  filter: {
    title: "outbound filter on 50 MB of code",
    number: 3,
    run: (programs, samples) => measureFilter(programs, { samples }),
    row: ({ measured, baseline, longestHoldMs, blocked, target }) => [
      ...medians(measured, baseline, "MB/s"),
      `held ${longestHoldMs} ms, ${blocked.length} blocked`,
      `${target} MB/s`,
    ],
  },
  "filter-exchange": {
    title: "exchange, filter on against off",
    run: (programs) => measureFilterExchange(programs, { pairs }),
    row: ofPairs,
  },
  page: {
    number: 20,
    run: (programs, loads) => measurePage(programs, { pairs, loads, appends: 200, entries: 5_000 }),
    rows: pageRows,
  },
  files: {
    number: 3,
    run: (programs, samples) => measureFiles(programs, { pairs, samples, mib }),
    rows: fileRows,
  },
  folders: {
    run: (programs) => measureFolders(programs, { pairs, files: 10_000, kib: 4 }),
    rows: folderRows,
  },
};

const names = Object.keys(BENCHES);
const counted = names.filter((name) => BENCHES[name].number !== undefined);
const fallbacks = Object.fromEntries(counted.map((name) => [name, BENCHES[name].number]));
const { only, mib, pairs, outage, long, ...numbers } = counts(
  { ...fallbacks, pairs: LEAST_PAIRS, mib: 256, outage: 60, long: 300 },
  { only: names.join(",") },
);
const chosen = only.split(",");
const unknown = chosen.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`--only: there is no ${unknown}, but ${names.join(", ")}`);

const results = await withPrograms(async (programs) => {
  const found = {};
  for (const name of chosen) found[name] = await BENCHES[name].run(programs, numbers[name]);
  return found;
});
print({ machine: await machine(), ...results });
table(results);

function medians(measured, baseline, unit) {
  return [measured.median, measured.min, baseline.median].map((value) => `${value} ${unit}`);
}

function ofRatio({ unit, measured, baseline, ratio, target }) {
  return [...medians(measured, baseline, unit), `x ${ratio}`, `x ${target}`];
}

function ofPairs({ unit, measured, baseline, ratio, target }) {
  return [...medians(measured, baseline, unit), `x ${intervalText(ratio)}`, `x ${target}`];
}

function verdict(title, cells, met) {
  return [title, ...cells, met ? "met" : "MISSED"];
}

function table(found) {
  const rows = [["", "median", "min", "baseline median", "result", "target", ""]];
  for (const [name, result] of Object.entries(found)) {
    const { title, row, rows: several } = BENCHES[name];
    if (several !== undefined) rows.push(...several(result));
    else if (result.measured === undefined)
      rows.push([title, result.skipped ?? "", "", "", "", "", "skipped"]);
    else rows.push(verdict(title, row(result), result.met));
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    console.error(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    );
  }
}
