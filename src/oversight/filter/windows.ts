import { ends, matchAt } from "./match.ts";
import { SPAN } from "./rules/content-rules.ts";
import type { Hint } from "./rules/hints.ts";
import type { View } from "./views/view.ts";

/** Bytes around a hint that the second engine is shown. Private keys are the longest of what it knows. */
const BEFORE = 512;
const AFTER = 12 * 1024;
/** It compares each thing that it finds with each other one, so it is shown no more than this at once. */
const MOST = 32 * 1024;

interface Window {
  readonly from: number;
  to: number;
}

export interface Shown {
  readonly text: string;
  /** The place in the view of a place in the text. */
  readonly origin: (at: number) => number;
}

/** The parts of one view that the second engine is shown, each once, however many hints are in it. */
export class Windows {
  /** Those that overlap are one. */
  readonly #whole: Window[] = [];
  /** Two or three lines that were put together, by their ends. */
  readonly #lines = new Map<number, Window>();

  /** A hint whose keyword begins at `start`. */
  add(hint: Hint, start: number, view: View): void {
    const isJoined = view.disguise === "wrapped";
    if (isJoined && hint.isOnOneLine === true) return;
    const whole = Math.min(view.bytes.length, start + AFTER);
    for (const end of ends(start, view, SPAN)) {
      if (matchAt(hint.pattern, start, view, end) === null) continue;
      // An earlier one with the same end shows this one, too.
      if (isJoined && !this.#lines.has(end)) this.#lines.set(end, { from: start, to: end });
      this.#addWhole(isJoined ? start : Math.max(0, start - BEFORE), whole);
    }
  }

  /** All of them as few texts, and where each place of those stood. */
  shown({ bytes }: View): Shown[] {
    const shown: Shown[] = [];
    let starts: number[] = [];
    let windows: Window[] = [];
    let text = "";
    const close = (): void => {
      if (windows.length > 0) shown.push({ text, origin: originIn(starts, windows) });
      [starts, windows, text] = [[], [], ""];
    };
    for (const window of [...this.#whole, ...this.#lines.values()]) {
      if (text.length + window.to - window.from > MOST) close();
      starts.push(text.length);
      windows.push(window);
      text += `${bytes.toString("latin1", window.from, window.to)}\n`;
    }
    close();
    return shown;
  }

  #addWhole(from: number, to: number): void {
    const last = this.#whole.at(-1);
    if (last !== undefined && from <= last.to && to - last.from <= MOST) last.to = Math.max(last.to, to);
    else this.#whole.push({ from, to });
  }
}

function originIn(starts: readonly number[], windows: readonly Window[]): (at: number) => number {
  return (at) => {
    const index = starts.findLastIndex((start) => start <= at);
    return (windows[index]?.from ?? 0) + at - (starts[index] ?? 0);
  };
}
