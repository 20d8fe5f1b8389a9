import "./runtime/lean-heap.ts";
import { isatty } from "node:tty";
import { fileURLToPath } from "node:url";
import { createLifecycle, endOnSignals, endWithParent } from "./app/lifecycle.ts";
import { lossOf, lossText, type OutputLoss } from "./app/output-loss.ts";
import { run } from "./app/run.ts";
import { systemClock as clock } from "./runtime/clock.ts";
import { homeDirectory, workingDirectory } from "./runtime/places.ts";
import { processIsRunning } from "./runtime/processes.ts";

const FLUSH_LIMIT_MS = 500;

/** Put in by scripts/build.mjs. */
declare const __VERSION__: string;

const args = process.argv.slice(2);
const isServer = args.length === 0;
const log = (line: string): void => void process.stderr.write(`tunnel-mcp: ${line}\n`);
const exitNow = (code: number): void => process.exit(code);
let outputLoss: OutputLoss | undefined;
// Some systems write pipes asynchronously: the output must be out before the process ends. Yet a reader that has
// stopped reading must not keep it alive.
const exitFlushed = (code: number): void => {
  const end = (): never => process.exit(code === 0 && outputLoss?.kind === "failed" ? 1 : code);
  setTimeout(end, FLUSH_LIMIT_MS);
  // The stream tells of a failed write a turn after its callback.
  process.stdout.write("", () => setImmediate(end));
};

const lifecycle = createLifecycle({ clock, exit: exitFlushed, log });
// A relay takes its time to end, and reads its files again on a signal.
const isRelay = args[0] === "relay";
if (!isRelay) endOnSignals(process, lifecycle, { isServer, exit: exitNow, log });
if (isServer) endWithParent(process, lifecycle, clock);
// A watcher has no stdin that would end, and its parent is the reader of its output.
else if (args.includes("--watch")) endWithParent(process, lifecycle, clock, processIsRunning);
// Without listeners these would be uncaught exceptions in the middle of the work.
const outputLost = new Promise<OutputLoss>((resolve) => {
  process.stdout.on("error", (error: Error) => {
    if (outputLoss !== undefined) return;
    outputLoss = lossOf(error);
    process.stderr.write(lossText(outputLoss) ?? "");
    resolve(outputLoss);
  });
});
process.stderr.on("error", () => undefined);
// The SDK adds a listener for each answer that waits for a slow reader. Node would warn of a leak.
process.stdout.setMaxListeners(0);

void run({
  args,
  env: process.env,
  version: __VERSION__,
  clock,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  columns: { out: () => process.stdout.columns, err: () => process.stderr.columns },
  stdinIsTerminal: isatty(0),
  stdoutIsTerminal: isatty(1),
  stderrIsTerminal: isatty(2),
  home: homeDirectory(),
  cwd: workingDirectory(),
  bundle: fileURLToPath(import.meta.url),
  outputLost,
  onShutdown: lifecycle.onShutdown,
  exitNow,
}).then(lifecycle.shutdown);
