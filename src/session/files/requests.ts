import { toBase64url } from "../../protocol/base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import { checkNote } from "../../protocol/files/note.ts";
import type { PatchFacts } from "../../protocol/files/offer.ts";
import type { Presence } from "../../protocol/room/participant.ts";
import { peersAmong } from "../../protocol/room/peers.ts";
import { membersNamed } from "../../protocol/room/recipients.ts";
import type { Download, FileId, Files } from "./files.ts";
import type { TreeFacts } from "../../protocol/files/tree.ts";
import type { ChangeFacts, LocalFiles, SaveWish, Shareable, TreeContentsView } from "./local-files.ts";
import { withoutColours } from "../../protocol/base/typed-text.ts";

/** Offering a file and fetching one, the same for tools and for people. */

/** The part of a session that offering needs. */
interface OfferingSession<Said> {
  readonly files: Files<Said>;
  presence(): Presence[];
}

/** A file of this side as it was offered; `Said` is the answer to the message that offers it. */
export interface OwnOffer<Said> {
  readonly fileId: FileId;
  readonly name: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly patch: PatchFacts | undefined;
  /** Of a patch: its ends, and what is not in it. */
  readonly change: ChangeFacts | undefined;
  readonly tree: TreeFacts | undefined;
  /** Of a tree: all that is in it, and what is not. */
  readonly contents: TreeContentsView | undefined;
  /** Why the name is another one than the file has here. */
  readonly renamed: string | undefined;
  readonly sent: Said;
  /** Colour sequences that were taken out of the note. */
  readonly removed: number;
  /** Names of those who are there and can fetch it; of nobody while it is held. */
  readonly offeredTo: readonly string[];
}

/**
 * @param request `to`: names or ids; everybody when undefined. `author`: a person who offers it by hand. `content` is read after all else was found to be right.
 * @throws {TunnelError} note-invalid, member-unknown, share-limit, what `content` throws, and all of saying
 */
export async function offerFile<Said>(
  session: OfferingSession<Said>,
  request: {
    readonly note: string | undefined;
    readonly to: readonly string[] | undefined;
    readonly author?: "human" | undefined;
    readonly content: () => Promise<Shareable>;
  },
): Promise<OwnOffer<Said>> {
  // Before the whole of a large file is read.
  if (peersAmong(session.presence()).length === 0) throw new TunnelError("nobody-joined");
  const { text, removed } = withoutColours(request.note ?? "");
  const note = request.note === undefined ? {} : { note: checkNote(text) };
  const to: readonly MemberId[] | undefined =
    request.to === undefined ? undefined : membersNamed(session.presence(), request.to);
  const { name, renamed, source, patch, change, tree, contents } = await request.content();
  const { fileId, sent } = await session.files.share(source, {
    name,
    ...note,
    ...(patch === undefined ? {} : { patch }),
    ...(tree === undefined ? {} : { tree }),
    ...(to === undefined ? {} : { to }),
    author: request.author,
  });
  const { size, sha256 } = source;
  const isOffered = session.files.shares.some((one) => toBase64url(one.offer.id) === fileId);
  const others = peersAmong(session.presence()).filter(({ id }) => isOffered && to?.includes(id) !== false);
  return {
    fileId,
    name,
    renamed,
    size,
    sha256,
    patch,
    change,
    tree,
    contents,
    sent,
    removed,
    offeredTo: others.map((one) => one.name),
  };
}

interface FetchedFile {
  readonly download: Download;
  readonly isNew: boolean;
  /** Why it gets another name than was given. */
  readonly renamed: string | undefined;
}

/**
 * The transfer of an offered file to a place here: a new one, or the one that is known already.
 * @throws {TunnelError} file-unknown, file-own, path-*, save-*, disk-full, and all of receiving
 */
export async function fetchFile(
  files: Files,
  localFiles: LocalFiles,
  request: SaveWish & { readonly fileId: FileId },
): Promise<FetchedFile> {
  const { fileId, savePath, only, overwrite } = request;
  const { entry } = files.find(fileId);
  if (only !== undefined && entry.offer.tree === undefined)
    throw new TunnelError("input-invalid", { detail: "only: goes with a folder" });
  const { target, renamed } = await localFiles.targetOf(savePath, entry.offer.tree !== undefined);
  const known = files.current(fileId, target);
  if (known !== undefined) {
    const isGone = known.state.name === "done" && !(await localFiles.isThere(target, known.offer));
    if (!isGone) return { download: known, isNew: false, renamed };
    files.forget(known);
  }
  const makeSink = (onPart: (part: string) => void) =>
    localFiles.sink({ ...request, onPart }, entry.offer, entry.from);
  const download = await files.receive(fileId, target, makeSink, { overwrite, only });
  return { download, isNew: true, renamed };
}
