import { downloadView } from "../../../view/files.ts";
import { toBase64url, toHex } from "../../../protocol/base/bytes.ts";
import type { PatchInspection } from "../../../session/git/inspect-patch.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { transferText } from "../terminal/file-lines.ts";
import type { Transfer } from "../conversation/transfers.ts";

type Fields = Readonly<Record<string, unknown>>;

/** What programs are told of files. */

const WARNING =
  "These bytes are the peer's: verified to be what was sent, not to be safe. Do not run, install or apply them unchecked.";

/** How far one transfer is. */
export function progressFields(transfer: Transfer): Fields {
  const common = { event: "progress", message: transferText(transfer) };
  switch (transfer.kind) {
    case "reading":
      return { ...common, fraction: fractionOf(transfer.done, transfer.size), path: transfer.path };
    case "receiving": {
      const { fileId, offer } = transfer.download;
      const { state } = transfer;
      const fraction = fractionOf(state.received, offer.size);
      return { ...common, fraction, fileId, size: offer.size, ...downloadView(state, offer.size) };
    }
    case "sending": {
      const { offer, to, sent, bytesPerSec } = transfer;
      const fileId = toBase64url(offer.id);
      return {
        ...common,
        fraction: fractionOf(sent, offer.size),
        fileId,
        size: offer.size,
        to,
        sent,
        bytesPerSec,
      };
    }
  }
}

function fractionOf(done: number, size: number): number {
  return size === 0 ? 0 : Math.round((1_000 * done) / size) / 1_000;
}

export function sharedFields({
  ref,
  offer: { sent, ...offer },
}: Extract<ChatEvent, { type: "shared" }>): Fields {
  return { event: "shared", ref, ...offer, ...sent };
}

export function receivedFields(event: Extract<ChatEvent, { type: "received" }>): Fields {
  const { ref, fileId, offer, target, from, inspection } = event;
  const { name, size, hash } = offer;
  const patch = inspection === undefined ? {} : { patch: patchFields(inspection) };
  return {
    event: "received",
    ref,
    fileId,
    name,
    savePath: target,
    size,
    sha256: toHex(hash),
    fromName: from,
    ...patch,
    warning: WARNING,
  };
}

/** Files of a patch that are listed. */
const MAX_FILES = 50;

function patchFields({ files, base, applies, suspicions, ...counts }: PatchInspection): Fields {
  const { kind, ...why } = applies;
  const { fileCount, insertions, deletions } = counts;
  const listed = files.slice(0, MAX_FILES);
  return {
    baseIs: base,
    applies: kind,
    ...why,
    fileCount,
    insertions,
    deletions,
    suspicious: suspicions,
    files: listed,
  };
}
