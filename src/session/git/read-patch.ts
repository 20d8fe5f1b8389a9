import { Buffer } from "node:buffer";
import path from "node:path";
import { tempDirectory } from "../../runtime/places.ts";
import { must } from "../../errors/must.ts";
import { runGit, type Environment } from "./run.ts";

/** One file of a patch, as `git apply` reads it. */
export interface PatchFile {
  /** In the repository, without `a/` and `b/`; the old path of a deleted file. */
  readonly path: string;
  /** The old path of a file that was renamed or copied. */
  readonly previousPath: string | undefined;
  readonly change: "added" | "deleted" | "modified" | "renamed" | "copied";
  /** Octal, six digits; undefined where the patch does not say. */
  readonly oldMode: string | undefined;
  readonly newMode: string | undefined;
  readonly isBinary: boolean;
  readonly insertions: number;
  readonly deletions: number;
}

export type PatchReading =
  | {
      readonly kind: "read";
      readonly files: readonly PatchFile[];
      /** The bytes of each file, in the same order; undefined when some file is not in git's own form. */
      readonly parts: readonly Buffer[] | undefined;
    }
  /** git refuses it, so it names no files. */
  | { readonly kind: "malformed" }
  /** Its binary changes unpack to more than the limit. */
  | { readonly kind: "too-large" }
  | { readonly kind: "git-failed" }
  | { readonly kind: "git-missing" };

export interface ReadPatchOptions {
  readonly env: Environment;
  readonly timeoutMs: number;
  /** git unpacks binary changes in memory while it reads them. */
  readonly maxUnpackedBytes: number;
  readonly signal?: AbortSignal | undefined;
}

const MAX_LIST_BYTES = 16 * 1024 * 1024;
/** No repository is there, so git neither looks into one nor leaves out what lies elsewhere in it. */
const NO_REPOSITORY = path.join(tempDirectory(), "tunnel-mcp-no-repository");

/** The files of a patch in git's own reading; nothing is applied, and no repository is asked. Never throws. */
export async function readPatch(patch: Buffer, options: ReadPatchOptions): Promise<PatchReading> {
  const { env, timeoutMs, maxUnpackedBytes, signal } = options;
  const text = patch.toString("latin1");
  if (unpackedBytes(text) > maxUnpackedBytes) return { kind: "too-large" };
  const result = await runGit(["apply", "--numstat", "--summary", "-z", "-"], {
    cwd: tempDirectory(),
    env,
    timeoutMs,
    maxBytes: MAX_LIST_BYTES,
    input: patch,
    extra: { GIT_DIR: NO_REPOSITORY },
    ...(signal === undefined ? {} : { signal }),
  });
  if (result.kind === "missing") return { kind: "git-missing" };
  if (result.kind !== "done") return { kind: "git-failed" };
  if (result.exitCode !== 0) return { kind: "malformed" };
  const parts = partsOf(text);
  const files = parseListing(result.stdout.toString("latin1"), parts);
  if (files === undefined || files.length === 0) return { kind: "malformed" };
  const areAllGit = parts.length === files.length;
  return {
    kind: "read",
    files,
    parts: areAllGit ? parts.map((part) => Buffer.from(part, "latin1")) : undefined,
  };
}

function unpackedBytes(text: string): number {
  let total = 0;
  for (const [, size] of text.matchAll(/^(?:literal|delta) (\d{1,15})\r?$/gm)) total += Number(size);
  return total;
}

/** Lines of a hunk begin with a sign or a space, so this line begins a file wherever it stands. */
function partsOf(text: string): string[] {
  return text.split(/^(?=diff --git )/m).filter((part) => part.startsWith("diff --git "));
}

/** The mode that a change leaves as it is stands in no summary, but in the header of the file. */
function keptModeOf(part: string): string | undefined {
  const header = must(part.split(/^(?:@@ -|GIT binary patch)/m, 1)[0], "the header of a part");
  return /^index [0-9a-f]+\.\.[0-9a-f]+ (\d{6})\r?$/m.exec(header)?.[1];
}

/** The counts and paths of `--numstat -z`, then the lines of `--summary`, which are not quoted. */
function parseListing(listing: string, parts: readonly string[]): PatchFile[] | undefined {
  const end = listing.lastIndexOf("\0") + 1;
  const summary = new Summary(listing.slice(end));
  const records = listing
    .slice(0, end)
    .split("\0")
    .slice(0, -1)
    .map((record) => /^(\d+|-)\t(\d+|-)\t(.+)$/s.exec(record));
  const files: PatchFile[] = [];
  for (const [index, record] of records.entries()) {
    const [, insertions = "", deletions = "", name = ""] = record ?? [];
    if (name === "") return undefined;
    const kept = parts.length === records.length ? keptModeOf(must(parts[index], "a part")) : undefined;
    const isBinary = insertions === "-";
    const { previous, ...change } = summary.changeOf(name, kept);
    files.push({
      path: decoded(name),
      previousPath: previous === undefined ? undefined : decoded(previous),
      ...change,
      isBinary,
      insertions: isBinary ? 0 : Number(insertions),
      deletions: isBinary ? 0 : Number(deletions),
    });
  }
  return summary.isDone ? files : undefined;
}

type Change = Pick<PatchFile, "change" | "oldMode" | "newMode"> & { previous?: string };

/**
 * The lines of `git apply --summary`, in the order of the files. A name may hold a line end, so every line is looked for with
 * the name that is known, and a line that fits no file makes the whole unreadable.
 */
class Summary {
  #rest: string;

  constructor(text: string) {
    this.#rest = text;
  }

  get isDone(): boolean {
    return this.#rest === "";
  }

  changeOf(name: string, kept: string | undefined): Change {
    const made = this.#take(new RegExp(`^ (create|delete)(?: mode (\\d{6}))? ${escaped(name)}\n`));
    if (made !== undefined) {
      const [, verb, mode] = made;
      if (verb === "create") return { change: "added", oldMode: undefined, newMode: mode };
      return { change: "deleted", oldMode: mode, newMode: undefined };
    }
    const previous = this.#movedFrom(name);
    if (previous !== undefined) return { ...previous, ...this.#modes("", kept) };
    const isRewritten = this.#take(new RegExp(`^ rewrite ${escaped(name)} \\(\\d+%\\)\n`)) !== undefined;
    return { change: "modified", ...this.#modes(isRewritten ? "" : ` ${name}`, kept) };
  }

  #modes(suffix: string, kept: string | undefined): Pick<PatchFile, "oldMode" | "newMode"> {
    const changed = this.#take(new RegExp(`^ mode change (\\d{6}) => (\\d{6})${escaped(suffix)}\n`));
    return changed === undefined
      ? { oldMode: kept, newMode: kept }
      : { oldMode: changed[1], newMode: changed[2] };
  }

  /** `rename old => new (90%)`, or `rename common/{old => new} (90%)`. */
  #movedFrom(name: string): { change: "renamed" | "copied"; previous: string } | undefined {
    const verb = /^ (rename|copy) /.exec(this.#rest)?.[1];
    if (verb === undefined) return undefined;
    const change = verb === "rename" ? "renamed" : "copied";
    const whole = this.#take(new RegExp(`^ ${verb} (.{1,4096}?) => ${escaped(name)} \\(\\d+%\\)\n`, "s"));
    if (whole?.[1] !== undefined) return { change, previous: whole[1] };
    for (let slash = name.indexOf("/"); slash !== -1; slash = name.indexOf("/", slash + 1)) {
      const common = name.slice(0, slash + 1);
      const start = ` ${verb} ${common}{`;
      if (!this.#rest.startsWith(start)) continue;
      const tail = new RegExp(
        `^ ${verb} ${escaped(common)}\\{(.{1,4096}?) => ${escaped(name.slice(slash + 1))}\\} \\(\\d+%\\)\n`,
        "s",
      );
      const found = this.#take(tail);
      if (found?.[1] !== undefined) return { change, previous: common + found[1] };
    }
    return undefined;
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.#rest) ?? undefined;
    if (found !== undefined) this.#rest = this.#rest.slice(found[0].length);
    return found;
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

function decoded(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
