import { constants } from "node:os";

/** Sends a signal to a process, or with a negative number to a group. Nothing happens where nobody is left. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // Gone, or none of ours to end.
    if (!(error instanceof Error)) throw error;
  }
}

/** The name of a signal; undefined for a number that is none. */
export function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}

const lastResorts = new Set<() => void>();
const runAll = (): void => {
  for (const run of lastResorts) run();
};

/**
 * Has something done when this process ends without having ended its children: only synchronous work is possible then. However many
 * children run, the process has one listener. @returns takes it back
 */
export function atExit(run: () => void): () => void {
  if (lastResorts.size === 0) process.on("exit", runAll);
  lastResorts.add(run);
  return () => {
    lastResorts.delete(run);
    if (lastResorts.size === 0) process.removeListener("exit", runAll);
  };
}
