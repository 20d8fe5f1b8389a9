/** The exit code of an interrupted command, as shells number it. */
export const INTERRUPTED = 130;
/** Ctrl-Break, on Windows. */
const BROKEN = 149;

/** Whether a person has ended the command at the keyboard, rather than its terminal or its machine. @param code its exit code */
export const isInterrupt = (code: number): boolean => code === INTERRUPTED || code === BROKEN;

/** The longest time of a timer. */
const FOR_EVER_MS = 2 ** 31 - 1;

/** Keeps the process alive, which neither the timers of a clock nor an input that has ended do. @returns ends it */
export function stayAlive(): () => void {
  const alive = setInterval(() => undefined, FOR_EVER_MS);
  return () => clearInterval(alive);
}
