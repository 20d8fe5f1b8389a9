import { lstat } from "node:fs/promises";
import path from "node:path";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { oneLine, plainLabel } from "../paths/names.ts";
import { isCommitHash } from "./context.ts";
import { outputOf } from "./diff.ts";
import type { Repository } from "./repository.ts";
import { gitText, runGit, type GitCall } from "./run.ts";

/** A commit, and what it says of itself. */
export interface CommitName {
  readonly id: string;
  /** The first line of its message, on one line and short. */
  readonly subject: string;
}

/** Two commits between which there is a change. */
export interface CommitRange {
  /** Undefined where the change begins with the first commit of a repository. */
  readonly base: string | undefined;
  readonly tip: string;
  /** What somebody who reads the change must know of its ends. */
  readonly notes: readonly string[];
}

const MAX_SUBJECT_BYTES = 120;

/**
 * `A..B` and `A...B` are the changes on B since it left A, as a reviewer means them; an end that is left out is HEAD. One
 * commit is its change against its (first) parent.
 * @throws {TunnelError} patch-range, git-failed
 */
export async function rangeOf(repository: Repository, range: string): Promise<CommitRange> {
  const [, first = "", dots, second = ""] = /^ *(.*?) *(?:(\.{2,3}) *(.*?) *)?$/s.exec(range) ?? [];
  if (dots === undefined) return await ofOne(repository, first.replace(/\^!$/, ""));
  if (first === "" && second === "") throw new TunnelError("patch-range", { detail: FORM });
  const from = await commitOf(repository, first === "" ? "HEAD" : first);
  const tip = await commitOf(repository, second === "" ? "HEAD" : second);
  if (from === tip && (first === "" || second === ""))
    throw new TunnelError("patch-range", {
      detail: "the end that is left out is HEAD, which is the other end, too",
    });
  return await sinceItLeft(repository.call, from, tip);
}

export async function commitName(call: GitCall, id: string): Promise<CommitName> {
  const subject = await gitText(["log", "-1", "--no-show-signature", "--format=%s", id, "--"], call);
  return { id, subject: plainLabel(oneLine(subject ?? "", MAX_SUBJECT_BYTES), MAX_SUBJECT_BYTES) };
}

const FORM = "a range is one commit, or two as BASE..TIP";
/** Signs that no name of a branch has, by which git would look for a path or a message, or take the opposite. */
const REVISION = /^[^-^\p{Cc} ~:?*[\\][^\p{Cc} :?*[\\]{0,254}$/u;

/** @throws {TunnelError} patch-range */
async function commitOf(repository: Repository, revision: string): Promise<string> {
  const { call } = repository;
  if (!REVISION.test(revision) || revision.includes(".."))
    throw new TunnelError("patch-range", { detail: FORM });
  const hash = await gitText(["rev-parse", "--verify", "--quiet", `${revision}^{commit}`], call);
  if (hash !== undefined && isCommitHash(hash)) return hash;
  throw new TunnelError("patch-range", { detail: await whyUnknown(repository, revision) });
}

async function whyUnknown({ call }: Repository, revision: string): Promise<string> {
  const name = `"${plainLabel(revision, 100)}"`;
  const isThere = await lstat(path.resolve(call.cwd, revision)).then(
    () => true,
    () => false,
  );
  if (isThere) return `${name} is a file or a folder, and no commit; to share a file give its path`;
  if (await isShallow(call))
    return `${name} is no commit of this shallow clone; \`git fetch --unshallow\` fetches the rest of its history`;
  return `${name} is no commit of this repository`;
}

async function isShallow(call: GitCall): Promise<boolean> {
  return (await gitText(["rev-parse", "--is-shallow-repository"], call)) === "true";
}

async function sinceItLeft(call: GitCall, from: string, tip: string): Promise<CommitRange> {
  const found = await runGit(["merge-base", "--all", from, tip], call);
  // 1 says that there is none, which is no failure.
  const hasNone = found.kind === "done" && found.exitCode === 1;
  const bases = hasNone ? [] : outputOf(found).toString("latin1").split("\n").filter(isCommitHash);
  const shallow = await isShallow(call);
  const [base] = bases;
  if (base === undefined) {
    const where = shallow
      ? "the two have no commit in common in this shallow clone; `git fetch --unshallow` fetches the rest of their history"
      : "the two have no commit in common, so nothing says what changed on the one since it left the other";
    throw new TunnelError("patch-range", { detail: where });
  }
  const notes = [
    ...(bases.length > 1
      ? [`the two have ${bases.length} latest common commits; the change is the one since ${short(base)}`]
      : []),
    ...(shallow
      ? ["this clone is shallow, so the base may be an older commit than in the whole history"]
      : []),
  ];
  return { base, tip, notes };
}

async function ofOne(repository: Repository, revision: string): Promise<CommitRange> {
  const { call } = repository;
  const tip = await commitOf(repository, revision);
  // As it was written: a shallow clone hides the parents that it lacks, and then shows the whole tree as its change.
  const written = outputOf(await runGit(["cat-file", "commit", tip], call)).toString("latin1");
  const header = must(written.split("\n\n", 1)[0], "the header of a commit");
  const parents = [...header.matchAll(/^parent ([0-9a-f]{40,64})$/gm)].map(([, id]) => must(id, "a parent"));
  const [base] = parents;
  if (base !== undefined) await assertThere(call, base, tip);
  const isStash = parents.length === 3 && /^stash|^refs\/stash/.test(revision);
  const notes = [
    ...(parents.length > 1 && !isStash
      ? [`${short(tip)} is a merge; the change is the one against its first parent`]
      : []),
    ...(isStash ? ["the untracked files of the stash are not part of the patch"] : []),
  ];
  return { base, tip, notes };
}

/** @throws {TunnelError} patch-range, git-failed */
async function assertThere(call: GitCall, base: string, tip: string): Promise<void> {
  const found = await runGit(["cat-file", "-e", `${base}^{commit}`], call);
  if (found.kind === "done" && found.exitCode === 0) return;
  if (!(await isShallow(call)))
    throw new TunnelError("git-failed", { detail: "the repository lacks a parent commit: see `git fsck`" });
  throw new TunnelError("patch-range", {
    detail: `the parent of ${short(tip)} is not in this shallow clone; \`git fetch --deepen=1\` fetches it`,
  });
}

function short(id: string): string {
  return id.slice(0, 12);
}
