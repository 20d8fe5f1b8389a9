import { PassThrough, Writable } from "node:stream";

/** What a real terminal would do that this one does not know: no test may cause it without noticing. */
class Unknown extends Error {}

/** Escape sequences, the window's title, and single characters. */
const PARTS = /\p{Cc}\[[?\d;]*[A-Za-z]|\p{Cc}\]0;\P{Cc}*\p{Cc}|[\s\S]/gu;
const TITLE = "\u001b]0;";
const BELL = "\u0007";

/** The cells that a terminal gives to a character, by the one before it. */
export type Cells = (char: string, before: string | undefined) => number;

const JOINER = "\u200d";
const MARK = /^(?:\p{M}|\u200d)$/u;
const TONE = /^\p{Emoji_Modifier}$/u;
const WIDE = /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uff01-\uff60])$/u;
const FLAG_HALF = /^\p{Regional_Indicator}$/u;

/** Terminals as there are: they agree on little but letters. */
export const CELLS: Readonly<Record<string, Cells>> = {
  "that joins emoji and flags": (char, before) => {
    if (MARK.test(char) || TONE.test(char) || before === JOINER) return 0;
    return FLAG_HALF.test(char) ? 1 : WIDE.test(char) ? 2 : 1;
  },
  "that shows each part of a joined emoji": (char) => {
    if (MARK.test(char)) return 0;
    return FLAG_HALF.test(char) || TONE.test(char) || WIDE.test(char) ? 2 : 1;
  },
  "that knows no wide characters": (char) => (MARK.test(char) ? 0 : 1),
};

const ONE_EACH: Cells = () => 1;

/** The screen of a terminal, as far as a line editor uses it: what a person sees, row by row. */
export class FakeTerminal extends Writable {
  columns: number;
  readonly input: PassThrough & { setRawMode: (mode: boolean) => void };
  isRaw = false;
  /** The window was closed: nothing can be set any more. */
  isGone = false;
  /** Whether it marks what is pasted. */
  marksPaste = false;
  /** Of the window. */
  title = "";
  /** How often it has rung. */
  bells = 0;
  /** Everything that was written, as it was. */
  raw = "";
  #rows: string[][] = [[]];
  #row = 0;
  #column = 0;
  #before: string | undefined;
  readonly #cells: Cells;

  constructor(columns = 80, cells: Cells = ONE_EACH) {
    super({ decodeStrings: false });
    this.columns = columns;
    this.#cells = cells;
    this.input = Object.assign(new PassThrough(), {
      setRawMode: (mode: boolean) => {
        if (this.isGone) throw new Error("EIO");
        this.isRaw = mode;
      },
    });
  }

  /** The window gets another width. What stands there is not laid out anew. */
  resize(columns: number): void {
    this.columns = columns;
    this.emit("resize");
  }

  /** Keys, as a terminal sends them. */
  type(keys: string): void {
    this.input.write(keys);
  }

  paste(text: string): void {
    const sent = text.replaceAll("\n", "\r");
    this.type(this.marksPaste ? `\u001b[200~${sent}\u001b[201~` : sent);
  }

  /** Rows as they stand there, without those that are empty at the end. */
  get rows(): string[] {
    const rows = this.#rows.map((row) =>
      Array.from(row, (char) => char ?? " ")
        .join("")
        .trimEnd(),
    );
    while (rows.at(-1) === "") rows.pop();
    return rows;
  }

  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    const text = chunk.toString();
    this.raw += text;
    const parts = text.match(PARTS) ?? [];
    for (const part of parts) this.#put(part);
    done();
  }

  #put(part: string): void {
    if (part.startsWith(TITLE)) this.title = part.slice(TITLE.length, -1);
    else if (part === BELL) this.bells += 1;
    else if (part === "\r") this.#column = 0;
    else if (part === "\n") this.#lineFeed();
    else if (part.startsWith("\u001b")) this.#obey(part);
    else this.#show(part);
    this.#before = part;
  }

  #show(char: string): void {
    const cells = this.#cells(char, this.#before);
    if (cells > 0 && this.#column + cells > this.columns) this.#lineFeed();
    const row = (this.#rows[this.#row] ??= []);
    while (row.length < this.#column) row.push(" ");
    if (cells === 0) {
      // A mark belongs to what stands before it, which was just written anew.
      const at = row.findLastIndex((one, index) => index < this.#column && one !== "");
      row[at] = (row[at] ?? "") + char;
      return;
    }
    row.splice(this.#column, cells, char, ...Array<string>(cells - 1).fill(""));
    this.#column += cells;
  }

  /** In raw mode the terminal driver still adds the carriage return. */
  #lineFeed(): void {
    this.#row += 1;
    this.#column = 0;
    this.#rows[this.#row] ??= [];
  }

  #obey(sequence: string): void {
    const [, mark, number, letter] = /^(\??)([\d;]*)([A-Za-z])$/.exec(sequence.slice(2)) ?? [];
    const count = Number(number === "" ? 1 : number);
    if (mark === "?" && number === "2004") this.marksPaste = letter === "h";
    else if (letter === "A") this.#row = Math.max(0, this.#row - count);
    else if (letter === "B") this.#row += count;
    else if (letter === "C") this.#column += count;
    else if (letter === "D") this.#column = Math.max(0, this.#column - count);
    else if (letter === "G") this.#column = count - 1;
    else if (letter === "J" && (number === "" || number === "0")) {
      this.#rows[this.#row]?.splice(this.#column);
      this.#rows.splice(this.#row + 1);
    } else if (letter === "K") this.#rows[this.#row]?.splice(this.#column);
    else if (letter !== "m") throw new Unknown(JSON.stringify(sequence));
  }
}
