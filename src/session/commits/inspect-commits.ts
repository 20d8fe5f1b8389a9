import { Buffer } from "node:buffer";
import { lstat, mkdtemp, readdir, readFile, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { tempDirectory } from "../../runtime/places.ts";
import { failing, type Applies } from "../git/inspect-patch.ts";
import { namesIn, PATCH, readable } from "../git/diff.ts";
import { readPatch, type PatchFile } from "../git/read-patch.ts";
import { lookForRepository, type Repository } from "../git/repository.ts";
import { runGit, type Environment, type GitCall } from "../git/run.ts";
import { inScratch } from "../git/scratch.ts";
import { oneLine } from "../paths/names.ts";

/** One commit of a received patch. Texts are its sender's words, on one line each. */
interface InspectedCommit {
  readonly subject: string;
  readonly author: string;
  readonly date: string;
  /** Paths, the first of them. */
  readonly paths: readonly string[];
  readonly fileCount: number;
  readonly insertions: number;
  readonly deletions: number;
}

/** The commits of a received patch, and what `git am` would do. */
export interface CommitsInspection {
  readonly commits: readonly InspectedCommit[];
  readonly commitCount: number;
  readonly applies: Applies;
  /** The commit to which it does not apply, from 1; undefined where it is another reason. */
  readonly failingCommit: number | undefined;
  /** The command that would make these commits here. It is never run. */
  readonly command: string;
}

const LIMITS = {
  maxCommits: 250,
  maxPaths: 20,
  timeoutMs: 30_000,
  maxBinaryBytes: 256 * 1024 * 1024,
} as const;
const MAX_TEXT_BYTES = 300;
const AT_ONCE = 4;

interface Mail extends InspectedCommit {
  readonly patch: Buffer;
  readonly files: readonly PatchFile[];
}

/** `--keep-cr` and the others: so that lines and subjects come out as they went in. */
const AM = ["am", "--keep-cr", "--keep-non-patch", "--no-scissors"];

/**
 * The commits in git's own reading (`mailsplit`, `mailinfo`), and whether each applies behind the one before. Nothing is applied: neither
 * the index nor the objects of the repository are touched.
 * @param file absolute: the patch as it was saved
 */
export async function inspectCommits(
  cwd: string,
  file: string,
  options: { env: Environment; home?: string },
): Promise<CommitsInspection> {
  const command = ["git", ...AM, quoted(file)].join(" ");
  const unknown = (reason: Extract<Applies, { kind: "unknown" }>["reason"]): CommitsInspection => {
    const applies = { kind: "unknown", reason } as const;
    return { commits: [], commitCount: 0, applies, failingCommit: undefined, command };
  };
  const folder = await mkdtemp(path.join(await realpath(tempDirectory()), "tunnel-mails-"));
  try {
    const base: GitCall = { cwd: folder, env: options.env, timeoutMs: LIMITS.timeoutMs };
    const split = await runGit(["mailsplit", "--keep-cr", `-o${folder}`, "--", file], base);
    if (split.kind === "missing") return unknown("git-missing");
    if (split.kind !== "done" || split.exitCode !== 0) return unknown("malformed");
    const names = (await readdir(folder)).toSorted();
    if (names.length > LIMITS.maxCommits) return { ...unknown("too-large"), commitCount: names.length };
    const mails: Mail[] = [];
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const some = names.slice(at, at + AT_ONCE).map((name) => mailOf(path.join(folder, name), base));
      for (const mail of await Promise.all(some)) {
        if (mail === undefined) return unknown("malformed");
        mails.push(mail);
      }
    }
    const commits = mails.map(({ patch: _patch, files: _files, ...commit }) => commit);
    const repository = await lookForRepository(cwd, { ...options, timeoutMs: LIMITS.timeoutMs });
    if (!("toplevel" in repository))
      return { ...unknown(repository.kind), commits, commitCount: commits.length };
    return { commits, commitCount: commits.length, command, ...(await appliesTo(repository, mails)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function mailOf(mail: string, base: GitCall): Promise<Mail | undefined> {
  const [message, patchFile] = [`${mail}.message`, `${mail}.patch`];
  const args = ["mailinfo", "-b", "--no-scissors", "--encoding=UTF-8", message, patchFile];
  const info = await runGit(args, { ...base, input: await readFile(mail) });
  if (info.kind !== "done" || info.exitCode !== 0) return undefined;
  const field = (name: string): string =>
    new RegExp(`^${name}: (.*)$`, "m").exec(info.stdout.toString("utf8"))?.[1] ?? "";
  const patch = await readFile(patchFile);
  const { timeoutMs, maxBinaryBytes: maxUnpackedBytes } = LIMITS;
  const reading = await readPatch(patch, { env: base.env, timeoutMs, maxUnpackedBytes });
  if (reading.kind !== "read") return undefined;
  const { files } = reading;
  const line = (text: string): string => oneLine(text, MAX_TEXT_BYTES);
  return {
    subject: line(field("Subject")),
    author: line(`${field("Author")} <${field("Email")}>`),
    date: line(field("Date")),
    paths: files.slice(0, LIMITS.maxPaths).map(({ path: name }) => oneLine(name, 1_024)),
    fileCount: files.length,
    insertions: files.reduce((sum, { insertions }) => sum + insertions, 0),
    deletions: files.reduce((sum, { deletions }) => sum + deletions, 0),
    patch,
    files,
  };
}

type Outcome = Pick<CommitsInspection, "applies" | "failingCommit">;

/** One after the other, on a copy of what is checked out. */
async function appliesTo(repository: Repository, mails: readonly Mail[]): Promise<Outcome> {
  const unknown: Outcome = { applies: { kind: "unknown", reason: "git-failed" }, failingCommit: undefined };
  const inTheWay = await changedHere(repository.call, mails);
  if (inTheWay === undefined) return unknown;
  if (inTheWay.length > 0) {
    const failures = inTheWay.map((name) => ({
      path: oneLine(name, 1_024),
      reason: "changed-here" as const,
    }));
    return { applies: { kind: "no", failing: failures }, failingCommit: undefined };
  }
  return await inScratch<Outcome>(repository, async (scratch) => {
    const hasHead = await succeeds(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], scratch);
    if (!(await succeeds(["read-tree", hasHead ? "HEAD" : "--empty"], scratch))) return unknown;
    for (const [index, { patch, files }] of mails.entries()) {
      const result = await runGit(["apply", "--cached", "-"], { ...scratch, input: patch });
      if (result.kind !== "done") return unknown;
      if (result.exitCode === 0) continue;
      const found = failing(result.stderr.toString("utf8"), files);
      const shown = found.map(({ path: name, reason }) => ({ path: oneLine(name, 1_024), reason }));
      return { applies: { kind: "no", failing: shown }, failingCommit: index + 1 };
    }
    return { applies: { kind: "yes" }, failingCommit: undefined };
  }).catch(() => unknown);
}

/** What would stop `git am` before it begins: anything that is staged, and changes in the files of these commits. */
async function changedHere(call: GitCall, mails: readonly Mail[]): Promise<string[] | undefined> {
  const touched = new Set(
    mails.flatMap(({ files }) =>
      files.flatMap(({ path: name, previousPath }) => [name, previousPath ?? name]),
    ),
  );
  const list = { ...call, maxBytes: PATCH.maxListBytes };
  const hasHead = await succeeds(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], call);
  const staged = hasHead
    ? await runGit(
        ["diff-index", "--cached", "--name-only", "-z", "--ignore-submodules=dirty", "HEAD", "--"],
        list,
      )
    : undefined;
  const changed = await runGit(["diff-files", "--name-only", "-z", "--ignore-submodules=dirty"], list);
  const isRead = (result: typeof changed): boolean => result.kind === "done" && result.exitCode === 0;
  if ((staged !== undefined && !isRead(staged)) || !isRead(changed)) return undefined;
  const all = (result: typeof changed | undefined): string[] =>
    result?.kind === "done" ? namesIn(result.stdout).map(readable) : [];
  const added = mails.flatMap(({ files }) => files.filter(({ change }) => change === "added"));
  const untracked: string[] = [];
  for (const { path: name } of added.slice(0, PATCH_ADDED)) {
    const isHere = await lstat(path.join(call.cwd, name)).then(
      () => true,
      () => false,
    );
    if (isHere && !(await succeeds(["ls-files", "--error-unmatch", "--", name], call))) untracked.push(name);
  }
  return [...new Set([...all(staged), ...all(changed).filter((name) => touched.has(name)), ...untracked])];
}

/** New files that are looked for in the working tree. */
const PATCH_ADDED = 500;

async function succeeds(args: readonly string[], call: GitCall): Promise<boolean> {
  const result = await runGit(args, call);
  return result.kind === "done" && result.exitCode === 0;
}

/** As a shell of this system takes it as one word. */
function quoted(file: string): string {
  if (/^[\w./\\:@%+=,-]+$/.test(file) && !(process.platform !== "win32" && file.includes("\\"))) return file;
  return process.platform === "win32" ? `"${file}"` : `'${file.replaceAll("'", "'\\''")}'`;
}
