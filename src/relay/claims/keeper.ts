import { open, readFile, rename, rm, type FileHandle } from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { KINDS } from "../../uplink/messages.ts";
import { claimId, type ClaimName } from "./claims.ts";

const kept = z.object({
  kind: z.enum(KINDS),
  name: z.string().check(z.minLength(1), z.maxLength(128)),
  key: z.string().check(z.minLength(1), z.maxLength(128)),
  port: z.optional(z.int().check(z.minimum(1), z.maximum(65_535))),
  owner: z.optional(z.string().check(z.minLength(1), z.maxLength(128))),
});
const line = z.union([
  z.object({ keep: kept }),
  z.object({ forget: z.object({ kind: z.enum(KINDS), name: z.string() }) }),
]);

/** A name with the key that holds it. */
export interface KeptName extends ClaimName {
  readonly key: string;
  readonly port?: number | undefined;
  /** The id of the token that it is counted for. */
  readonly owner?: string | undefined;
}

/** Keeps which key a name belongs to, so that a restart gives no name away. */
export interface NameKeeper {
  load(): Promise<readonly KeptName[]>;
  /** Resolves when it is on the disk. */
  keep(name: KeptName): Promise<void>;
  forget(name: ClaimName): void;
  close(): Promise<void>;
}

const FILE = "names.jsonl";
/** More lines than this, and more than twice the names, and the file is written anew. */
const MIN_LINES = 1_000;

/** A file of lines, each a change: a cut in the middle of the last one loses that change alone. */
export class FileKeeper implements NameKeeper {
  readonly #file: string;
  readonly #names = new Map<string, KeptName>();
  #lines = 0;
  #handle: FileHandle | undefined;
  /** One write after another. */
  #last: Promise<void> = Promise.resolve();

  /** @param folder private to the relay's user, and there already */
  constructor(folder: string) {
    this.#file = path.join(folder, FILE);
  }

  /** @throws {TunnelError} relay-state */
  async load(): Promise<readonly KeptName[]> {
    const text = await readFile(this.#file, "utf8").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
      throw new TunnelError("relay-state", { detail: FILE, cause: error });
    });
    const lines = text.split("\n");
    // The last one is empty, or was cut when the machine died.
    for (const [index, one] of lines.slice(0, -1).entries()) this.#take(one, index + 1);
    await this.#rewrite();
    return [...this.#names.values()];
  }

  keep(name: KeptName): Promise<void> {
    this.#names.set(claimId(name), name);
    return this.#append({ keep: name });
  }

  forget({ kind, name }: ClaimName): void {
    if (!this.#names.delete(claimId({ kind, name }))) return;
    // A room that is not forgotten in time is only one that is away for longer.
    this.#append({ forget: { kind, name } }).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #take(text: string, number: number): void {
    let parsed: z.infer<typeof line> | undefined;
    try {
      parsed = line.safeParse(JSON.parse(text)).data;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    // Whoever goes on without a line may give somebody's name away.
    if (parsed === undefined) throw new TunnelError("relay-state", { detail: `${FILE}, line ${number}` });
    if ("keep" in parsed) this.#names.set(claimId(parsed.keep), parsed.keep);
    else this.#names.delete(claimId(parsed.forget));
  }

  #append(change: z.infer<typeof line>): Promise<void> {
    return this.#inTurn(async () => {
      this.#lines += 1;
      if (this.#lines > MIN_LINES && this.#lines > 2 * this.#names.size) return this.#rewrite();
      const handle = (this.#handle ??= await open(this.#file, "a", 0o600));
      await handle.write(`${JSON.stringify(change)}\n`);
      await handle.datasync();
    });
  }

  async #rewrite(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    const names = [...this.#names.values()];
    const temporary = `${this.#file}.new`;
    await rm(temporary, { force: true });
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.write(names.map((keep) => `${JSON.stringify({ keep })}\n`).join(""));
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(temporary, this.#file);
    this.#lines = names.length;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.catch(() => undefined).then(work);
    this.#last = done;
    return done;
  }
}
