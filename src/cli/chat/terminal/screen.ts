import stringWidth from "string-width";
import { wrapWords } from "../../io/wrap.ts";
import { removedText } from "../../../view/words/removed.ts";
import { lineEditor } from "./editor.ts";
import { BREAK, keyboard, PASTE_OFF, PASTE_ON, type TerminalInput } from "./keyboard.ts";
import { oneRow } from "./safe-text.ts";
import { typedRows, windowOf } from "./typed-rows.ts";

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
  /** Asks a question that the next key answers; every key but `y` means no. Does nothing where nobody can be asked. */
  readonly ask: (question: string, onAnswer: (isYes: boolean) => void) => void;
  /** Puts the terminal back into its first state. Idempotent. */
  readonly close: () => void;
}

/** The deeds of a person at the keyboard. */
export interface Person {
  readonly onLine: (text: string) => void;
  /** With nothing typed. */
  readonly onInterrupt: (key: "Ctrl-C" | "Ctrl-D") => void;
  /** A text was pasted into what was typed. True when it is dealt with, and the line stays as it was. */
  readonly onPaste: (whole: string) => boolean;
  /** The end of the input. */
  readonly onEnd: () => void;
  /** Tab, with the line up to the cursor; left out where nothing is completed. */
  readonly onTab?: (before: string) => { readonly insert: string; readonly choices: readonly string[] };
  /** Any key. */
  readonly onActivity: () => void;
}

export interface TerminalOutput extends NodeJS.WritableStream {
  readonly columns?: number;
  getWindowSize?(): [columns: number, rows: number];
}

/** The size of a terminal that tells none. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;
/** Rows of the typed line at most, and of what stands above it at least. */
const MOST_TYPED = 10;
const LEAST_ABOVE = 4;

const CTRL_D = "\u0004";
const TAB = "\t";
/** Words that Tab lists. */
const MOST_CHOICES = 40;
const CLEAR_BELOW = "\u001b[J";
const CLEAR_ALL = "\u001b[H\u001b[J";

/** What stands on the screen at the bottom, row by row, and the row of it in which the cursor is. */
interface Drawn {
  readonly rows: readonly string[];
  readonly cursorRow: number;
}

/** A terminal with a line to edit and all other text above it. */
export function terminalScreen(options: {
  input: TerminalInput;
  output: TerminalOutput;
  prompt: string;
  person: Person;
}): Screen {
  const { input, output, prompt, person } = options;
  let isClosed = false;
  let status: string | undefined;
  let isStatusShown = false;
  let drawn: Drawn | undefined;
  let asked: ((isYes: boolean) => void) | undefined;
  const { keys, stop } = keyboard(input, {
    onPaste: paste,
    onActivity: person.onActivity,
    onKey: obeyKey,
    onDone: draw,
    onBadText: (problem) =>
      tell(`That is ${problem}. Nothing of it was taken: set this terminal to UTF-8, then type it again.`),
  });
  const editor = lineEditor({
    keys,
    onLine: sendLine,
    onInterrupt: interrupt,
    onEnd() {
      if (isClosed) return;
      close();
      person.onEnd();
    },
    onResume() {
      drawn = undefined;
      write(PASTE_ON);
      draw();
    },
    onRefresh() {
      drawn = undefined;
      write(CLEAR_ALL);
    },
  });
  // In raw mode, too, the system turns a line feed into a new line.
  const write = (text: string): void => void output.write(text);
  // A terminal of unknown size says 0.
  const columns = (): number | undefined => (output.columns === 0 ? undefined : output.columns);

  function rowsOfScreen(): number {
    const [, rows = 0] = output.getWindowSize?.() ?? [];
    return rows === 0 ? DEFAULT_ROWS : rows;
  }

  function sendLine(line: string): void {
    // The whole of it becomes history, and so does the status above it.
    const { rows } = typedRows(prompt, line, line.length, columns() ?? DEFAULT_COLUMNS);
    write(`${wiped()}${[...statusRows(), ...rows].join("\n")}\n`);
    drawn = undefined;
    isStatusShown = false;
    person.onLine(line.replaceAll(BREAK, "\n"));
  }

  function interrupt(): void {
    if (editor.line === "") return person.onInterrupt("Ctrl-C");
    editor.clear();
    print("(cleared)");
  }

  /** @returns whether there was a question */
  function answer(isYes: boolean): boolean {
    const tell = asked;
    asked = undefined;
    tell?.(isYes);
    return tell !== undefined;
  }

  function obeyKey(key: string): boolean {
    if (answer(/^y$/i.test(key))) return true;
    if (key === TAB && person.onTab !== undefined) {
      complete(person.onTab);
      return true;
    }
    if (key !== CTRL_D || editor.line !== "") return false;
    person.onInterrupt("Ctrl-D");
    return true;
  }

  function complete(onTab: NonNullable<Person["onTab"]>): void {
    const { insert, choices } = onTab(editor.line.slice(0, editor.cursor));
    if (insert !== "") editor.insert(insert);
    else if (choices.length > 0) tell(choices.slice(0, MOST_CHOICES).join("  "));
  }

  function paste(text: string, removed: number): void {
    answer(false);
    const what = removedText(removed);
    if (what !== undefined) tell(`(removed from what was pasted: ${what})`);
    const whole = `${editor.line.slice(0, editor.cursor)}${text}${editor.line.slice(editor.cursor)}`;
    // As a whole: key by key the time would grow with the square of the length.
    if (!person.onPaste(whole.replaceAll(BREAK, "\n"))) editor.insert(text);
  }

  function statusRows(): string[] {
    return isStatusShown && status !== undefined ? [oneRow(status, columns() ?? DEFAULT_COLUMNS)] : [];
  }

  /** The codes that take away what stands at the bottom. */
  function wiped(): string {
    const up = drawn === undefined ? 0 : drawn.cursorRow;
    drawn = undefined;
    return `${up > 0 ? `\u001b[${up}A` : ""}\r${CLEAR_BELOW}`;
  }

  function draw(): void {
    if (!isClosed) drawAfter("");
  }

  /** Shows the typed line, and the text above it. */
  function drawAfter(text: string): void {
    const most = Math.max(1, Math.min(MOST_TYPED, rowsOfScreen() - LEAST_ABOVE));
    const typed = typedRows(prompt, editor.line, editor.cursor, columns() ?? DEFAULT_COLUMNS);
    const { rows, cursorRow, beforeCursor } = windowOf(typed, most);
    const above = statusRows();
    // The cursor stands where the text before it ends, however wide the terminal made that.
    const up = rows.length - 1 - cursorRow;
    const back = `${up > 0 ? `\u001b[${up}A` : ""}\r${beforeCursor}`;
    write(`${wiped()}${text}${[...above, ...rows].join("\n")}${back}`);
    drawn = { rows: [...above, ...rows], cursorRow: above.length + cursorRow };
  }

  function print(text: string): void {
    if (isClosed) return write(`${text}\n`);
    isStatusShown = status !== undefined;
    drawAfter(`${text}\n`);
  }

  function tell(text: string): void {
    print(wrapWords(text, columns()));
  }

  /** A narrower window breaks the rows that stood there, so that they are more. */
  function resized(): void {
    const width = columns() ?? DEFAULT_COLUMNS;
    if (drawn === undefined) return;
    const { rows, cursorRow } = drawn;
    const more = rows.slice(0, cursorRow).map((row) => Math.max(0, Math.ceil(stringWidth(row) / width) - 1));
    drawn = { rows, cursorRow: more.reduce((sum, count) => sum + count, cursorRow) };
    draw();
  }

  function close(): void {
    if (isClosed) return;
    isClosed = true;
    // Leaves no prompt on the screen, since nothing listens any more.
    write(`${wiped()}${PASTE_OFF}`);
    output.removeListener("resize", resized);
    editor.close();
    stop();
  }
  output.on("resize", resized);
  write(PASTE_ON);
  draw();
  return {
    columns,
    print,
    status(text) {
      if (isClosed || text === status) return;
      status = text;
      isStatusShown = status !== undefined;
      draw();
    },
    giveBack(words) {
      if (isClosed || editor.line !== "") return false;
      editor.insert(words.replaceAll("\n", BREAK));
      draw();
      return true;
    },
    ask(question, onAnswer) {
      if (isClosed) return;
      asked = onAnswer;
      tell(`${question} [y/N]`);
    },
    close,
  };
}

/** No terminal: lines in, lines out. */
export function plainScreen(options: {
  lines: AsyncIterator<string, undefined>;
  output: TerminalOutput;
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
    // One that is sent no codes has a width all the same.
    columns: () => output.columns || undefined,
    print: (text) => void output.write(`${text}\n`),
    status: () => undefined,
    giveBack: () => false,
    ask: () => undefined,
    close: () => void (isClosed = true),
  };
}
