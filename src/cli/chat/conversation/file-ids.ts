import { TunnelError } from "../../../errors/tunnel-error.ts";
import type { FileId } from "../../../session/files/files.ts";
import type { FilesView } from "../../../view/files.ts";

/** Long enough that two files hardly ever share it by chance, short enough to be typed. */
const SHORT_ID_CHARS = 6;

/** The files that a person can name: those that others offer, and this side's own. */
type Known = Readonly<Record<keyof Pick<FilesView, "offered" | "shared">, readonly { fileId: FileId }[]>>;

function knownIds({ offered, shared }: Known): string[] {
  return [...new Set([...offered, ...shared].map(({ fileId }) => fileId))];
}

/** The beginning of an id by which a person can name a file at this moment. */
export function shortId(files: Known, fileId: FileId): string {
  const others = knownIds(files).filter((id) => id !== fileId);
  for (let length = SHORT_ID_CHARS; length < fileId.length; length += 1) {
    const short = fileId.slice(0, length);
    if (!others.some((id) => id.startsWith(short))) return short;
  }
  return fileId;
}

/**
 * The id with this beginning. A peer that makes up an id which begins like another one makes that beginning useless, and
 * misleads nobody.
 * @throws {TunnelError} input-invalid when several ids begin so
 */
export function wholeId(files: Known, beginning: string): FileId {
  const ids = knownIds(files);
  if (ids.includes(beginning)) return beginning;
  const [only, ...more] = ids.filter((id) => id.startsWith(beginning));
  if (more.length === 0) return only ?? beginning;
  throw new TunnelError("input-invalid", {
    detail: "several files have an id that begins so; type more of it",
  });
}
