import { clearScreenDown, createInterface, cursorTo, moveCursor } from "node:readline";
import { oneRow } from "./safe-text.ts";
import { BREAK, keyboard, PASTE_OFF, PASTE_ON, type TerminalInput } from "./keyboard.ts";

/** Where a chat is shown, and where what a person types comes from. */
export interface Screen {
  /** Width, or undefined where lines do not wrap. */
  readonly columns: () => number | undefined;
  /** Above what is being typed. */
  readonly print: (text: string) => void;
  /** One line between that and what is being typed, which the next one replaces; nothing where lines stay as they are. */
  readonly status: (text: string | undefined) => void;
  /** Puts words back into the line, if nothing else is being typed. */
  readonly giveBack: (words: string) => boolean;
  /** The terminal as it was before. Idempotent. */
  readonly close: () => void;
}

/** What a person does. */
export interface Person {
  readonly onLine: (text: string) => void;
  /** Ctrl-C with nothing typed. */
  readonly onInterrupt: () => void;
  /** Ctrl-D, or the end of the input. */
  readonly onEnd: () => void;
  /** Any key at all. */
  readonly onActivity: () => void;
}

export interface TerminalOutput extends NodeJS.WritableStream {
  readonly columns?: number;
}

const HISTORY = 200;
/** Of a terminal that does not tell. */
const DEFAULT_COLUMNS = 80;

/** A terminal with a line that can be edited, and everything else above it. */
export function terminalScreen(options: {
  input: TerminalInput;
  output: TerminalOutput;
  prompt: string;
  person: Person;
}): Screen {
  const { input, output, prompt, person } = options;
  const { keys, stop } = keyboard(input, {
    // As a whole: key by key it would take time that grows with the square of its length.
    onPaste: (text) => rl.write(text),
    onActivity: person.onActivity,
  });
  const rl = createInterface({ input: keys, output, prompt, terminal: true, historySize: HISTORY });
  let isClosed = false;
  let status: string | undefined;
  let isStatusShown = false;
  const write = (text: string): void => void output.write(text);
  // A terminal that does not know its size says 0.
  const columns = (): number | undefined => (output.columns === 0 ? undefined : output.columns);

  /** Wipes the line being typed, and the status above it; gives the rows of the former. */
  function wipe(): number {
    const { rows } = rl.getCursorPos();
    moveCursor(output, 0, -rows - (isStatusShown ? 1 : 0));
    cursorTo(output, 0);
    clearScreenDown(output);
    return rows;
  }

  /** Wipes the line being typed, prints, and shows the line again below. */
  function show(text: string): void {
    const rows = wipe();
    isStatusShown = status !== undefined;
    const above = status === undefined ? "" : `${oneRow(status, columns() ?? DEFAULT_COLUMNS)}\n`;
    // Readline goes up by the rows of the line it has last shown before it shows it again: they must be there.
    write(`${text}${above}${"\n".repeat(rows)}`);
    rl.prompt(true);
  }

  function print(text: string): void {
    if (isClosed) write(`${text}\n`);
    else show(`${text}\n`);
  }

  rl.on("line", (line) => {
    // What stood above the line stands above a line that was typed now, and is history.
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
    // Nothing is left of a prompt behind which nobody listens.
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
