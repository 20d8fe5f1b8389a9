import { clearScreenDown, createInterface, cursorTo, moveCursor } from "node:readline";
import { oneRow } from "./safe-text.ts";
import { BREAK, keyboard, PASTE_OFF, PASTE_ON, type TerminalInput } from "./keyboard.ts";

/** The screen of a chat, above the line that a person types. */
export interface Screen {
  /** Width in columns, or undefined where lines do not wrap. */
  readonly columns: () => number | undefined;
  /** Prints above the typed line. */
  readonly print: (text: string) => void;
  /** Shows one line above the typed line; the next one replaces it. Does nothing where printed lines stay. */
  readonly status: (text: string | undefined) => void;
  /** Puts a text back into the typed line, unless something else is there. */
  readonly giveBack: (words: string) => boolean;
  /** Puts the terminal back into its first state. Idempotent. */
  readonly close: () => void;
}

/** The deeds of a person at the keyboard. */
export interface Person {
  readonly onLine: (text: string) => void;
  /** Ctrl-C with nothing typed. */
  readonly onInterrupt: () => void;
  /** Ctrl-D, or the end of the input. */
  readonly onEnd: () => void;
  /** Any key. */
  readonly onActivity: () => void;
}

export interface TerminalOutput extends NodeJS.WritableStream {
  readonly columns?: number;
}

const HISTORY = 200;
/** The width of a terminal that tells none. */
const DEFAULT_COLUMNS = 80;

/** A terminal with a line to edit and all other text above it. */
export function terminalScreen(options: {
  input: TerminalInput;
  output: TerminalOutput;
  prompt: string;
  person: Person;
}): Screen {
  const { input, output, prompt, person } = options;
  const { keys, stop } = keyboard(input, {
    // As a whole: key by key the time would grow with the square of the length.
    onPaste: (text) => rl.write(text),
    onActivity: person.onActivity,
  });
  const rl = createInterface({ input: keys, output, prompt, terminal: true, historySize: HISTORY });
  let isClosed = false;
  let status: string | undefined;
  let isStatusShown = false;
  const write = (text: string): void => void output.write(text);
  // A terminal of unknown size says 0.
  const columns = (): number | undefined => (output.columns === 0 ? undefined : output.columns);

  /** Wipes the typed line and the status above it. @returns the rows of the typed line */
  function wipe(): number {
    const { rows } = rl.getCursorPos();
    moveCursor(output, 0, -rows - (isStatusShown ? 1 : 0));
    cursorTo(output, 0);
    clearScreenDown(output);
    return rows;
  }

  /** Wipes the typed line, prints, and shows it again below. */
  function show(text: string): void {
    const rows = wipe();
    isStatusShown = status !== undefined;
    const above = status === undefined ? "" : `${oneRow(status, columns() ?? DEFAULT_COLUMNS)}\n`;
    // Before readline shows the line again it goes up by the rows of the last one: they must be there.
    write(`${text}${above}${"\n".repeat(rows)}`);
    rl.prompt(true);
  }

  function print(text: string): void {
    if (isClosed) write(`${text}\n`);
    else show(`${text}\n`);
  }

  rl.on("line", (line) => {
    // The status above the line is history once the line is done.
    isStatusShown = false;
    person.onLine(line.replaceAll(BREAK, "\n"));
    if (!isClosed) rl.prompt();
  });
  rl.on("SIGINT", () => {
    if (rl.line === "") return person.onInterrupt();
    rl.write(null, { ctrl: true, name: "e" });
    rl.write(null, { ctrl: true, name: "u" });
    print("(cleared; Ctrl-C again to leave)");
  });
  rl.on("close", () => {
    if (isClosed) return;
    close();
    person.onEnd();
  });
  function close(): void {
    if (isClosed) return;
    isClosed = true;
    // Leaves no prompt on the screen, since nothing listens any more.
    wipe();
    write(PASTE_OFF);
    rl.close();
    stop();
  }
  write(PASTE_ON);
  rl.prompt();
  return {
    columns,
    print,
    status(text) {
      if (isClosed || text === status) return;
      status = text;
      show("");
    },
    giveBack(words) {
      if (isClosed || rl.line !== "") return false;
      rl.write(words.replaceAll("\n", BREAK));
      return true;
    },
    close,
  };
}

/** No terminal: lines in, lines out. */
export function plainScreen(options: {
  lines: AsyncIterator<string, undefined>;
  output: NodeJS.WritableStream;
  person: Person;
}): Screen {
  const { lines, output, person } = options;
  let isClosed = false;
  async function read(): Promise<void> {
    for (;;) {
      const line = await lines.next();
      if (isClosed) return;
      if (line.done === true) return person.onEnd();
      person.onActivity();
      person.onLine(line.value);
    }
  }
  void read();
  return {
    columns: () => undefined,
    print: (text) => void output.write(`${text}\n`),
    status: () => undefined,
    giveBack: () => false,
    close: () => void (isClosed = true),
  };
}
