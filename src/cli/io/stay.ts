/** The exit code of an interrupted command, as shells number it. */
export const INTERRUPTED = 130;
/** The longest time of a timer. */
const FOR_EVER_MS = 2 ** 31 - 1;

/** Keeps the process alive, which neither the timers of a clock nor an input that has ended do. @returns ends it */
export function stayAlive(): () => void {
  const alive = setInterval(() => undefined, FOR_EVER_MS);
  return () => clearInterval(alive);
}
