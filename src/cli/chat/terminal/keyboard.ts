import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { encodingProblem, InputDecoder, withoutBom } from "../../../runtime/utf8-input.ts";

/** The input of a terminal: `process.stdin`, or a stand-in of a test. */
export interface TerminalInput extends NodeJS.ReadableStream {
  setRawMode?(mode: boolean): unknown;
}

/** Asks the terminal to mark pasted text, so that a line end in it is not taken for Enter. */
export const PASTE_ON = "\u001b[?2004h";
export const PASTE_OFF = "\u001b[?2004l";
const PASTE_START = "\u001b[200~";
const PASTE_END = "\u001b[201~";
const CTRL_C = "\u0003";
const ESCAPE = "\u001b";
/** Alt-Enter. */
const LINE_BREAK_KEYS = ["\u001b\r", "\u001b\n"];

/** The sign for a line break in the edited line: the editor knows one line only. */
export const BREAK = "⏎";

interface Keyboard {
  /** For readline: keys as they were pressed, without pasted text. */
  readonly keys: TerminalInput;
  /** Stops listening to the terminal. */
  readonly stop: () => void;
}

interface KeyboardOptions {
  /** With the text, line breaks as {@link BREAK}, and the number of other controls that were taken out of it. */
  readonly onPaste: (text: string, removed: number) => void;
  /** With whatever comes, before it is looked at. */
  readonly onActivity: () => void;
  /** With every key; those for which it answers true go no further. */
  readonly onKey?: (key: string) => boolean;
  /** After all keys that came together. */
  readonly onDone?: () => void;
  /** The encoding of input that is not UTF-8, to follow "is": nothing of that key, or of that paste, is taken. */
  readonly onBadText?: (problem: string) => void;
}

/**
 * Takes pasted text out of the keys. Readline would take every line end in it for Enter, and one slip of the mouse would
 * send a page of text line by line.
 */
export function keyboard(
  input: TerminalInput,
  { onPaste, onActivity, onKey, onDone, onBadText }: KeyboardOptions,
): Keyboard {
  const keys: TerminalInput = Object.assign(new PassThrough(), {
    setRawMode: (mode: boolean) => setRawMode(input, mode),
  });
  const decoder = new InputDecoder();
  let waiting = "";
  let pasted: string | undefined;

  function paste(text: string): void {
    const problem = encodingProblem(text);
    if (problem !== undefined) return onBadText?.(problem);
    const { harmless, removed } = withoutControls(withoutBom(text));
    onPaste(harmless, removed);
  }

  function press(text: string): void {
    const problem = encodingProblem(text);
    if (problem !== undefined) return onBadText?.(problem);
    for (const key of withBreaks(text)) if (onKey?.(key) !== true) keys.emit("data", key);
  }

  // One by one: of several keys at once readline appends all but the last to the end of the line, wherever the cursor
  // is.
  function feed(chunk: string): void {
    // The user must be able to leave while the end of a paste never comes.
    if (pasted !== undefined && chunk === CTRL_C) pasted = undefined;
    let rest = waiting + chunk;
    waiting = "";
    while (rest !== "") {
      const mark = pasted === undefined ? PASTE_START : PASTE_END;
      const at = rest.indexOf(mark);
      // A mark may be cut in two. A lone ESC is a key of its own and must not wait for the next one.
      const held = at === -1 && rest !== ESCAPE ? partOf(mark, rest) : 0;
      const text = rest.slice(0, at === -1 ? rest.length - held : at);
      if (pasted !== undefined) pasted += text;
      else press(text);
      if (at === -1) {
        waiting = rest.slice(rest.length - held);
        return;
      }
      rest = rest.slice(at + mark.length);
      if (pasted !== undefined) paste(pasted);
      pasted = pasted === undefined ? "" : undefined;
    }
  }
  const onData = (chunk: Buffer | string): void => {
    onActivity();
    feed(typeof chunk === "string" ? chunk : decoder.write(chunk));
    onDone?.();
  };
  const onEnd = (): void => void keys.emit("end");
  input.on("data", onData);
  input.on("end", onEnd);
  input.resume();
  return {
    keys,
    stop() {
      input.removeListener("data", onData);
      input.removeListener("end", onEnd);
      input.pause();
    },
  };
}

function setRawMode(input: TerminalInput, mode: boolean): void {
  try {
    input.setRawMode?.(mode);
  } catch (error) {
    // A terminal that has gone took its mode with it. The rest must still be ended.
    if (mode || !(error instanceof Error)) throw error;
  }
}

function withBreaks(keys: string): string {
  return LINE_BREAK_KEYS.reduce((text, key) => text.replaceAll(key, BREAK), keys);
}

/** The number of characters at the end of `text` that are the beginning of `mark`. */
function partOf(mark: string, text: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}

const CONTROL = /(?!\t)\p{Cc}/gu;
/** What begins a control sequence: ESC, or the short form of CSI. */
const INTRODUCERS = ["\u001b", "\u009b"];

/**
 * Takes out colours and the like, which would make the protocol refuse the whole text, and empty lines at the end. Readline
 * would take a line separator of Unicode for Enter.
 */
function withoutControls(text: string): { readonly harmless: string; readonly removed: number } {
  const plain = stripVTControlCharacters(text)
    .replace(/\r\n?|[\u2028\u2029]/g, "\n")
    .trimEnd()
    .replace(/\n/g, BREAK);
  const sequences = introducers(text) - introducers(plain);
  const others = plain.match(CONTROL)?.length ?? 0;
  return { harmless: plain.replace(CONTROL, ""), removed: sequences + others };
}

function introducers(text: string): number {
  return INTRODUCERS.reduce((sum, one) => sum + text.split(one).length - 1, 0);
}
