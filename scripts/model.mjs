// Runs the symbolic model of the protocol (docs/model) with ProVerif: every line of `expected`, or those that contain the
// words given, and fails where a result differs. PROVERIF names the program, JOBS how many runs go at once.

import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = fileURLToPath(new URL("../docs/model", import.meta.url));
const program = process.env["PROVERIF"] ?? "proverif";
const jobs = Number(process.env["JOBS"] ?? 2);
/** Longest run on the machine in docs/model/README.md: 2 minutes. A slower machine gets five times that. */
const LIMIT_MS = 600_000;

/** Keeps the lines whose `#ifdef` and `#ifndef` hold; ProVerif itself knows no conditions. */
function withOptions(text, options) {
  const kept = [];
  const open = [];
  for (const line of text.split("\n")) {
    const [, word, name] = /^#(ifdef|ifndef|else|endif)\b\s*(\w*)/.exec(line) ?? [];
    if (word === "ifdef") open.push(options.includes(name));
    else if (word === "ifndef") open.push(!options.includes(name));
    else if (word === "else") open.push(!open.pop());
    else if (word === "endif") open.pop();
    else kept.push(open.every(Boolean) ? line : "");
  }
  if (open.length > 0) throw new Error("an #ifdef has no #endif");
  return kept.join("\n");
}

function results(output) {
  const found = output.matchAll(/^RESULT [^(].* (?:is (true|false)|(cannot be proved))\.$/gm);
  return Array.from(found, ([, value, unknown]) => value ?? unknown).join(" ");
}

async function run(line, scratch) {
  const [what, expected] = line.split(" : ");
  const [model, ...flags] = what.split(" ");
  const options = flags.map((flag) => flag.replace(/^-D/, ""));
  const file = path.join(scratch, `${[model, ...options].join("-")}.pv`);
  writeFileSync(file, withOptions(readFileSync(path.join(folder, `${model}.pv`), "utf8"), options));
  const began = Date.now();
  let got;
  try {
    const library = path.join(folder, "tunnel.pvl");
    const { stdout } = await promisify(execFile)(program, ["-lib", library, file], {
      timeout: LIMIT_MS,
      maxBuffer: 256 * 1024 * 1024,
    });
    got = results(stdout);
  } catch (error) {
    got = error.killed
      ? "no result in time"
      : `failed: ${String(error.stdout ?? error)
          .trim()
          .split("\n")
          .at(-1)}`;
  }
  const isRight = got === expected;
  const seconds = ((Date.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${isRight ? "ok     " : "DIFFERS"} ${seconds} s  ${what} : ${got}`);
  if (!isRight) console.log(`${" ".repeat(18)}expected ${expected}`);
  return isRight;
}

if (spawnSync(program, ["-help"], { stdio: "ignore" }).error !== undefined) {
  console.error(
    `The model needs ProVerif 2.05, and "${program}" does not start. Get it with "opam install proverif", or build it from the\n` +
      'source at https://proverif.inria.fr with OCaml ("./build -nointeract"), then name it: PROVERIF=/path/to/proverif npm run model',
  );
  process.exit(1);
}

const words = process.argv.slice(2);
const lines = readFileSync(path.join(folder, "expected"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#") && words.every((word) => line.includes(word)));
const scratch = mkdtempSync(path.join(tmpdir(), "model-"));
const wrong = [];
try {
  const queue = [...lines];
  const worker = async () => {
    for (let line = queue.shift(); line !== undefined; line = queue.shift())
      if (!(await run(line, scratch))) wrong.push(line);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${lines.length - wrong.length} of ${lines.length} as expected`);
process.exit(wrong.length === 0 && lines.length > 0 ? 0 : 1);
