import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { ensurePrivateDirectory, isPrivate } from "../../runtime/private-directory.ts";
import { EXPOSE } from "./limits.ts";

/** An exposure that is over. It holds no secret: ways in are never written down. */
const endedSchema = z.object({
  id: z.string().check(z.maxLength(64)),
  name: z.string().check(z.maxLength(EXPOSE.maxNameChars)),
  protocol: z.enum(["http", "tcp"]),
  target: z.string().check(z.maxLength(1_024)),
  /** Left out where it never had an address. */
  publicUrl: z.optional(z.string().check(z.maxLength(512))),
  /** Milliseconds since the epoch. */
  startedAt: z.number(),
  endedAt: z.number(),
  /** `failed`: it never ran. */
  why: z.enum(["stopped", "stopped-by-person", "expired", "address-lost", "server-ended", "failed"]),
  /** The code of the error, where it failed. */
  code: z.optional(z.string().check(z.maxLength(64))),
  requests: z.int().check(z.minimum(0)),
});

export type EndedExposure = z.infer<typeof endedSchema>;

const fileSchema = z.object({ ended: z.array(endedSchema) });
const FILE_NAME = "exposures.json";
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The exposures of this user that have ended, those of other servers included, in the private folder. Losing one is no fault, so nothing
 * here throws: a full disk must not keep an exposure from ending.
 */
export class ExposureHistory {
  readonly #folders: readonly string[];
  readonly #platform: string;
  readonly #pid: number;
  /** One write after the other. */
  #writing: Promise<void> = Promise.resolve();

  /** @param options `folders`: private folders of this user, the preferred one first */
  constructor(options: {
    readonly folders: readonly string[];
    readonly platform: string;
    readonly pid: number;
  }) {
    this.#folders = options.folders;
    this.#platform = options.platform;
    this.#pid = options.pid;
  }

  add(ended: EndedExposure): Promise<void> {
    this.#writing = this.#writing.then(() => this.#add(ended)).catch(() => undefined);
    return this.#writing;
  }

  /** Resolves when everything is written that was added. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** Newest first. */
  async read(): Promise<readonly EndedExposure[]> {
    await this.#writing;
    const all = await Promise.all(this.#folders.map((folder) => this.#readIn(folder)));
    const byId = new Map(all.flat().map((one) => [one.id, one]));
    return [...byId.values()].toSorted((a, b) => b.endedAt - a.endedAt).slice(0, EXPOSE.history);
  }

  async #add(ended: EndedExposure): Promise<void> {
    for (const folder of this.#folders) {
      try {
        await ensurePrivateDirectory(folder, this.#platform);
        const kept = [...(await this.#readIn(folder)), ended].slice(-EXPOSE.history);
        const draft = join(folder, `${this.#pid}-${FILE_NAME}.part`);
        await rm(draft, { force: true });
        await writeFile(draft, JSON.stringify({ ended: kept }), { mode: 0o600, flag: "wx" });
        return await rename(draft, join(folder, FILE_NAME));
      } catch (error) {
        // The next folder may be usable.
        if (!(error instanceof Error)) throw error;
      }
    }
  }

  async #readIn(folder: string): Promise<readonly EndedExposure[]> {
    const file = join(folder, FILE_NAME);
    if (!(await isPrivate(file, "file", this.#platform))) return [];
    try {
      if ((await stat(file)).size > MAX_FILE_BYTES) return [];
      const parsed = fileSchema.safeParse(JSON.parse(await readFile(file, "utf8")));
      return parsed.success ? parsed.data.ended : [];
    } catch (error) {
      // It was replaced while it was read, or is no JSON: there is nothing to show.
      if (error instanceof Error) return [];
      throw error;
    }
  }
}
