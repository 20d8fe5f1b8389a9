import { PassThrough } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { stripVTControlCharacters } from "node:util";

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

/**
 * Takes pasted text out of the keys. Readline would take every line end in it for Enter, and one slip of the mouse would
 * send a page of text line by line.
 * @param onPaste called with the text, line breaks as {@link BREAK}, without other controls
 * @param onActivity called with every key
 */
export function keyboard(
  input: TerminalInput,
  { onPaste, onActivity }: { onPaste: (text: string) => void; onActivity: () => void },
): Keyboard {
  const keys: TerminalInput = Object.assign(new PassThrough(), {
    setRawMode: (mode: boolean) => setRawMode(input, mode),
  });
  const decoder = new StringDecoder("utf8");
  let waiting = "";
  let pasted: string | undefined;

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
      else for (const key of withBreaks(text)) keys.emit("data", key);
      if (at === -1) {
        waiting = rest.slice(rest.length - held);
        return;
      }
      rest = rest.slice(at + mark.length);
      if (pasted !== undefined) onPaste(harmless(pasted));
      pasted = pasted === undefined ? "" : undefined;
    }
  }
  const onData = (chunk: Buffer | string): void => {
    onActivity();
    feed(typeof chunk === "string" ? chunk : decoder.write(chunk));
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

/** Takes out colours and the like, which would make the protocol refuse the whole text, and empty lines at the end. */
function harmless(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\r\n?/g, "\n")
    .trimEnd()
    .replace(/\n/g, BREAK)
    .replace(/(?!\t)\p{Cc}/gu, "");
}
