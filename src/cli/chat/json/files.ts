import type { TreeReport } from "../../../session/folders/tree-side.ts";
import type { TransferView } from "../../../view/files.ts";
import { heldView } from "../../../view/held.ts";
import type { PatchView } from "../../../view/patches.ts";
import { removedText } from "../../../view/words/removed.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { transferText } from "../terminal/file-lines.ts";

type Fields = Readonly<Record<string, unknown>>;

const WARNING =
  "These bytes are the peer's: verified to be what was sent, not to be safe. Do not run, install or apply them unchecked.";

/** How far one transfer is. */
export function progressFields(transfer: TransferView): Fields {
  const common = { event: "progress", message: transferText(transfer) };
  switch (transfer.kind) {
    case "reading":
      return { ...common, fraction: fractionOf(transfer.done, transfer.size), path: transfer.path };
    case "receiving": {
      const { kind: _kind, name: _name, size, ...fields } = transfer;
      return { ...common, fraction: fractionOf(transfer.received, size), size, ...fields };
    }
    case "sending": {
      const { kind: _kind, name: _name, size, ...fields } = transfer;
      return { ...common, fraction: fractionOf(transfer.sent, size), size, ...fields };
    }
  }
}

function fractionOf(done: number, size: number): number {
  return size === 0 ? 0 : Math.round((1_000 * done) / size) / 1_000;
}

export function sharedFields({
  ref,
  offer: { sent, removed, tree, contents, ...offer },
}: Extract<ChatEvent, { type: "shared" }>): Fields {
  const answer = sent.status === "held" ? heldView(sent) : sent;
  const folder = tree && { ...tree, leftOut: contents?.leftOut, ignored: contents?.ignored.length };
  return { event: "shared", ref, ...offer, tree: folder, ...answer, removed: removedText(removed) };
}

export function receivedFields(event: Extract<ChatEvent, { type: "received" }>): Fields {
  const { ref, file, savePath, renamed, fromName, patch, tree } = event;
  const { fileId, name, size, sha256 } = file;
  return {
    event: "received",
    ref,
    fileId,
    name,
    savePath,
    renamed,
    size,
    sha256,
    fromName,
    patch: patch && patchFields(patch),
    tree: tree && treeFields(tree),
    warning: WARNING,
  };
}

function treeFields({ files, bytes, reused, renamed, notSaved }: TreeReport): Fields {
  return {
    files,
    bytes,
    reused,
    renamed: renamed.slice(0, MAX_FILES),
    notSaved: notSaved.slice(0, MAX_FILES),
  };
}

/** Files of a patch or a folder that are listed. */
const MAX_FILES = 50;

function patchFields(patch: PatchView): Fields {
  return { ...patch, files: patch.files.slice(0, MAX_FILES) };
}
