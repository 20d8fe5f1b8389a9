import { appendFile, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { endedTunnel, HISTORY, type EndedTunnel } from "./ended-tunnel.ts";

const FILE = "history.jsonl";

/**
 * The history in the folder of the relay. It is for people to look at: a line that cannot be read or written is left out, and
 * nothing else suffers.
 */
export class HistoryFile {
  readonly #file: string;
  readonly #onFailure: () => void;
  #lines = 0;
  #waiting: string[] = [];
  #work: Promise<void> | undefined;

  /** @param onFailure is called once, when the first line cannot be written */
  constructor(folder: string, onFailure: () => void) {
    this.#file = path.join(folder, FILE);
    let hasFailed = false;
    this.#onFailure = () => {
      if (!hasFailed) onFailure();
      hasFailed = true;
    };
  }

  /** The last entries, the oldest first. */
  async load(): Promise<readonly EndedTunnel[]> {
    const text = await readFile(this.#file, "utf8").catch(() => "");
    const entries = text.split("\n").flatMap((line) => parsed(line) ?? []);
    const last = entries.slice(-HISTORY.entries);
    await this.#rewrite(last).catch(() => this.#onFailure());
    return last;
  }

  /** @param all what is remembered, this one included: the file is written anew with it when it has grown to twice as much */
  add(entry: EndedTunnel, all: readonly EndedTunnel[]): void {
    this.#waiting.push(`${JSON.stringify(entry)}\n`);
    this.#work ??= this.#write(all).finally(() => (this.#work = undefined));
  }

  async close(): Promise<void> {
    await this.#work;
  }

  async #write(all: readonly EndedTunnel[]): Promise<void> {
    // Those that come during a write go together into the next one.
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#lines += lines.length;
      try {
        if (this.#lines > 2 * HISTORY.entries) await this.#rewrite(all);
        else await appendFile(this.#file, lines.join(""), { mode: 0o600 });
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        this.#onFailure();
      }
    }
  }

  async #rewrite(entries: readonly EndedTunnel[]): Promise<void> {
    const last = entries.slice(-HISTORY.entries);
    this.#lines = last.length;
    const temporary = `${this.#file}.new`;
    await rm(temporary, { force: true });
    await writeFile(temporary, last.map((entry) => `${JSON.stringify(entry)}\n`).join(""), {
      flag: "wx",
      mode: 0o600,
    });
    await rename(temporary, this.#file);
  }
}

function parsed(line: string): EndedTunnel | undefined {
  if (line === "") return undefined;
  try {
    return endedTunnel.safeParse(JSON.parse(line)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
