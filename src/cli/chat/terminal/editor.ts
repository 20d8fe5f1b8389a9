import { createInterface, type Interface, type Key } from "node:readline";
import { Writable } from "node:stream";
import { graphemeAt } from "../../io/width.ts";
import type { TerminalInput } from "./keyboard.ts";

/** A line that is being edited, without a place on the screen. */
export interface Editor {
  readonly line: string;
  /** In UTF-16 units of the line. */
  readonly cursor: number;
  /** Puts a text where the cursor is. */
  readonly insert: (text: string) => void;
  readonly clear: () => void;
  readonly close: () => void;
}

interface EditorOptions {
  readonly keys: TerminalInput;
  readonly onLine: (line: string) => void;
  readonly onInterrupt: () => void;
  /** The input is over. */
  readonly onEnd: () => void;
  /** The program was stopped and goes on: another one has used the screen. */
  readonly onResume: () => void;
  readonly onRefresh: () => void;
}

const HISTORY = 200;

/**
 * Readline as an editor alone. Its own drawing counts on widths that terminals do not agree on, so it draws into the void. It moves
 * by code points, and what it does to a part of a grapheme is done here to all of it.
 */
export function lineEditor({ keys, ...told }: EditorOptions): Editor {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const rl = createInterface({
    input: keys,
    output: nowhere,
    prompt: "",
    terminal: true,
    historySize: HISTORY,
  });
  let before = { line: "", cursor: 0 };
  const remember = (): void => void (before = { line: rl.line, cursor: rl.cursor });
  rl.on("line", told.onLine);
  rl.on("SIGINT", told.onInterrupt);
  rl.on("SIGCONT", told.onResume);
  rl.on("close", told.onEnd);
  keys.on("keypress", (_text: string | undefined, key: Key | undefined) => {
    if (key?.ctrl === true && key.name === "l") told.onRefresh();
    finishGrapheme(rl, before);
    remember();
  });
  return {
    get line() {
      return rl.line;
    },
    get cursor() {
      return rl.cursor;
    },
    insert(text) {
      rl.write(text);
      remember();
    },
    clear() {
      rl.write(null, { ctrl: true, name: "e" });
      rl.write(null, { ctrl: true, name: "u" });
      remember();
    },
    close: () => rl.close(),
  };
}

function finishGrapheme(rl: Interface, before: { readonly line: string; readonly cursor: number }): void {
  const removed = before.line.length - rl.line.length;
  if (removed > 0 && rl.cursor < before.cursor && before.line.startsWith(rl.line.slice(0, rl.cursor))) {
    const { start } = graphemeAt(before.line, before.cursor - 1);
    while (rl.cursor > start) rl.write(null, { name: "backspace" });
  } else if (removed > 0 && rl.cursor === before.cursor) {
    const { end } = graphemeAt(before.line, before.cursor);
    const length = before.line.length - (end - before.cursor);
    while (rl.line.length > length) rl.write(null, { name: "delete" });
  }
  // A key that inserts may have made one half of a flag, whose other half is still to come.
  if (rl.line !== before.line) return;
  const { start, end } = graphemeAt(rl.line, rl.cursor);
  if (rl.cursor <= start || rl.cursor >= end) return;
  const name = rl.cursor < before.cursor ? "left" : "right";
  while (rl.cursor > start && rl.cursor < end) rl.write(null, { name });
}
