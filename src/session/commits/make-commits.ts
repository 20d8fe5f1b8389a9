import type { Buffer } from "node:buffer";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { outputOf, PATCH } from "../git/diff.ts";
import { ownRepository, patchOf, type MakePatchOptions, type Patch } from "../git/make-patch.ts";
import { commitName, rangeOf } from "../git/range.ts";
import { runGit, type GitCall } from "../git/run.ts";

/** More at once is a branch, which is better pushed. */
const MAX_COMMITS = 250;
/** Commits that an error or a note names. */
const MAX_NAMED = 5;

/** The form that `git am` takes, whatever the settings of the repository and of the user say. */
const FORM = [
  "--stdout",
  "--numbered",
  "--subject-prefix=PATCH",
  "--no-attach",
  "--no-thread",
  "--no-cover-letter",
  "--no-signature",
  "--no-signoff",
  "--no-notes",
  "--no-base",
  "--no-from",
  "--no-to",
  "--no-cc",
  "--no-add-header",
  "--no-encode-email-headers",
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--binary",
  "--full-index",
  "--find-renames",
  "--src-prefix=a/",
  "--dst-prefix=b/",
];

/**
 * The commits of a range with their messages, authors and order, as `git format-patch` writes them.
 * @throws {TunnelError} patch-merges, patch-range, patch-empty, patch-too-large, git-*, cancelled
 */
export async function makeCommits(
  cwd: string,
  options: MakePatchOptions & { readonly range: string },
): Promise<Patch> {
  const repository = await ownRepository(cwd, options);
  const { call } = repository;
  const { base, tip, notes } = await rangeOf(repository, options.range);
  const range = base === undefined ? [tip] : [`${base}..${tip}`];
  const [ids, merges] = await Promise.all([listed(call, [...range]), listed(call, ["--merges", ...range])]);
  if (merges.length > 0) throw new TunnelError("patch-merges", { detail: await named(call, merges) });
  if (ids.length > MAX_COMMITS)
    throw new TunnelError("patch-too-large", {
      detail: `there are ${ids.length} commits, and ${MAX_COMMITS} at most`,
    });
  const root = base === undefined ? ["--root"] : [];
  const bytes = outputOf(
    await runGit(["format-patch", ...FORM, ...root, ...range], { ...call, maxBytes: PATCH.maxBytes }),
  );
  const written = idsIn(bytes);
  const empty = ids.filter((id) => !written.includes(id));
  // A message that looks like the beginning of a mail would become one.
  if (written.length + empty.length !== ids.length)
    throw new TunnelError("git-failed", { detail: "a message among these commits looks like another mail" });
  const left = empty.length === 0 ? [] : [`${await named(call, empty)}: changes nothing, and is not in it`];
  const head = await commitName(call, tip);
  const change = {
    bytes,
    baseCommit: base,
    head,
    leftOut: [],
    notes: [...notes, ...left],
    isMail: true as const,
  };
  return await patchOf(repository, change, options);
}

/** Commits by their ids, the newest first. @throws {TunnelError} git-failed */
async function listed(call: GitCall, args: readonly string[]): Promise<string[]> {
  const found = outputOf(await runGit(["rev-list", ...args], { ...call, maxBytes: PATCH.maxListBytes }));
  return found
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "");
}

async function named(call: GitCall, ids: readonly string[]): Promise<string> {
  const names = await Promise.all(ids.slice(0, MAX_NAMED).map((id) => commitName(call, id)));
  const shown = names.map(({ id, subject }) => `${id.slice(0, 12)} ${subject}`.trim());
  return [...shown, ...(ids.length > shown.length ? [`and ${ids.length - shown.length} more`] : [])].join(
    ", ",
  );
}

/** The line with which git begins each mail; the date is always this one. */
const FROM = /^From ([0-9a-f]{40}|[0-9a-f]{64}) Mon Sep 17 00:00:00 2001$/gm;

function idsIn(bytes: Buffer): string[] {
  return [...bytes.toString("latin1").matchAll(FROM)].map(([, id = ""]) => id);
}
