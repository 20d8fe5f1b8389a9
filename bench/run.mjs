/**
 * Runs every benchmark, each with its baseline in the same run: one JSON object on stdout, a table for people on stderr.
 *
 *   node bench/run.mjs [--startup 31] [--exchange 300] [--memory 5]     (numbers of samples)
 */
import { measureExchange } from "./exchange.mjs";
import { measureMemory } from "./memory.mjs";
import { measureStartup } from "./startup.mjs";
import { counts, machine, print, withPrograms } from "./support.mjs";

const samples = counts({ startup: 31, exchange: 300, memory: 5 });

const results = await withPrograms(async (programs) => ({
  startup: await measureStartup(programs, { samples: samples.startup }),
  exchange: await measureExchange(programs, { samples: samples.exchange }),
  memory: await measureMemory(programs, { samples: samples.memory }),
}));
print({ machine: await machine(), ...results });
table(results);

function table({ startup, exchange, memory }) {
  const rows = [["", "median", "min", "baseline median", "result", "target", ""]];
  for (const [title, { unit, measured, baseline, ratio, target, met }] of [
    ["spawn to initialize", startup],
    ["exchange both ways", exchange],
  ]) {
    const inUnit = (value) => `${value} ${unit}`;
    const verdict = met ? "met" : "MISSED";
    const times = [measured.median, measured.min, baseline.median].map(inUnit);
    rows.push([title, ...times, `x ${ratio}`, `x ${target}`, verdict]);
  }
  const { measured, baseline, target, met } = memory;
  if (measured !== undefined) {
    const sizes = [measured.median, measured.min, baseline.median].map((value) => `${value} MB`);
    rows.push(["idle host", ...sizes, `${measured.median} MB`, `${target} MB`, met ? "met" : "MISSED"]);
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
