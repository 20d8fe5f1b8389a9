import type { OwnOffer } from "../../../session/files/requests.ts";
import type { Answer } from "../../../session/saying/sent.ts";
import type { TreeReport } from "../../../session/folders/tree-side.ts";
import type { FileEntryView } from "../../../view/entries.ts";
import { sizeText, type FilesView, type FileView, type TransferView } from "../../../view/files.ts";
import { heldView } from "../../../view/held.ts";
import { shownLabel } from "../../../view/labels.ts";
import type { AppliesView, PatchView } from "../../../view/patches.ts";
import { removedText } from "../../../view/words/removed.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { shortId } from "../conversation/file-ids.ts";
import { safeLabel, safeName } from "./safe-text.ts";
import { duration } from "../../../view/words/system-text.ts";

/** Names in a patch or a folder that are shown. */
const MAX_NAMES = 10;

/** A file that a member offers, as words of that member: not safe for a terminal yet. */
export function offerText({ file, note, outline }: FileEntryView, id: string, number?: number): string {
  const about = note === undefined ? "" : `\n${note}`;
  const { tree } = file;
  const size =
    tree === undefined ? sizeText(file.size) : `a folder of ${tree.files} files, ${sizeText(tree.bytes)}`;
  const save = number === undefined ? "" : `\nor /save ${number}, under its own name`;
  const holds = (outline ?? []).slice(0, MAX_NAMES).map((line) => `\n  ${line}`);
  const left = (outline?.length ?? 0) - holds.length;
  const more = left > 0 ? `\n  and ${left} more` : "";
  return `offers ${shownLabel(file.name)} (${size}): /receive ${id} FILE${save}${about}${holds.join("")}${more}`;
}

export function sharedText(offer: OwnOffer<Answer>): string {
  const { name, renamed, size, sent, removed, offeredTo, tree, contents } = offer;
  const left = contents === undefined ? "" : leftOutText(contents);
  const whom = offeredTo.length === 0 ? "nobody at present" : offeredTo.map(safeName).join(", ");
  if (sent.status === "held") {
    const { askId, reason } = heldView(sent);
    const how = askId === undefined ? "" : ` Type /approve ${askId} or /refuse ${askId}.`;
    return `${safeName(name)} is not offered yet: ${reason}.${how}${left}`;
  }
  const late = sent.status === "queued" ? ` Not told yet: ${sent.reason}.` : "";
  const why = renamed === undefined ? "" : ` The others see this name since ${renamed}.`;
  const count = removedText(removed);
  const plain = count === undefined ? "" : ` Its note goes without colours: removed ${count}.`;
  const what =
    tree === undefined ? sizeText(size) : `a folder of ${tree.files} files, ${sizeText(tree.bytes)}`;
  const it = tree === undefined ? "the file" : "its files";
  return `${safeName(name)} (${what}) is offered to ${whom}.${late}${why}${plain} Stay here and leave ${it} as it is until they have it.${left}`;
}

/** The entries of a folder that do not go, and why. */
function leftOutText({ leftOut, ignored }: NonNullable<OwnOffer<Answer>["contents"]>): string {
  const lines = leftOut
    .slice(0, MAX_NAMES)
    .map(({ path, why }) => `\n  Left out: ${safeLabel(path)}, ${why}`);
  const more = leftOut.length > lines.length ? `\n  and ${leftOut.length - lines.length} more` : "";
  const count = ignored.length === 0 ? "" : `\n  Ignored (.gitignore) and not in it: ${ignored.length}`;
  return `${lines.join("")}${more}${count}`;
}

export function receivedLines(event: Extract<ChatEvent, { type: "received" }>): string[] {
  const { file, savePath, renamed, fromName, patch, tree } = event;
  const whose = fromName === undefined ? "its sender" : safeName(fromName);
  return [
    `${safeName(file.name)} (${tree === undefined ? sizeText(file.size) : `${tree.files} files, ${sizeText(tree.bytes)}`}) is saved as ${safeLabel(savePath)}`,
    ...(renamed === undefined ? [] : [`  It got another name here than you gave: ${renamed}.`]),
    `  It is what ${whose} offered (SHA-256 ${file.sha256.slice(0, 16)}…). That does not make it safe: look before you run, install or apply it.`,
    ...(patch === undefined ? [] : patchLines(patch)),
    ...(tree === undefined ? [] : treeLines(tree)),
  ];
}

function treeLines({ renamed, notSaved }: TreeReport): string[] {
  const lines = [
    ...notSaved.map(({ path, why }) => `not saved: ${path} (${why})`),
    ...renamed.map(({ path, savedAs, why }) => `renamed: ${path} is ${savedAs} here (${why})`),
  ];
  const shown = lines.slice(0, MAX_NAMES).map((line) => `  ${safeLabel(line)}`);
  return lines.length > shown.length ? [...shown, `  and ${lines.length - shown.length} more`] : shown;
}

const UNKNOWN = {
  "no-repository": "there is no git repository here",
  malformed: "it is no patch that git takes",
  "too-large": "it is too large to be tried",
  "git-failed": "git could not be asked",
  "git-missing": "git is not installed here",
  "git-not-owned": "git does not use the repository here, which belongs to another user",
  filter: "a file in it goes through a filter that was not run",
} as const;

function patchLines(patch: PatchView): string[] {
  const { fileCount, insertions, deletions, suspicious, command } = patch;
  const size = fileCount === undefined ? "" : ` to ${fileCount} files, +${insertions} -${deletions}`;
  const facts = `A patch${size}, saved and not applied.`;
  const odd = suspicious.length === 0 ? [] : [`  Take care, it has: ${suspicious.join(", ")}`];
  const trust = command === undefined ? [] : [`  If you trust that repository: ${safeLabel(command)}`];
  const told = [
    ...patch.leftOut.map((one) => `left out: ${one}`),
    ...patch.notes.map((one) => `note: ${one}`),
  ].slice(0, MAX_NAMES);
  return [
    `  ${facts} ${appliesText(patch)}`,
    ...odd,
    ...trust,
    ...(patch.commits === undefined ? [] : commitLines(patch.commits)),
    ...told.map((line) => `  Its sender says, ${safeLabel(line)}`),
  ];
}

function commitLines({ commits, commitCount, command }: NonNullable<PatchView["commits"]>): string[] {
  const lines = commits
    .slice(0, MAX_NAMES)
    .map(({ subject, author, fileCount, insertions, deletions }) =>
      safeLabel(`${subject} (${author}): ${fileCount} files, +${insertions} -${deletions}`),
    );
  const more = commitCount > lines.length ? [`  and ${commitCount - lines.length} more`] : [];
  return [...lines.map((line) => `  ${line}`), ...more, `  To make these commits: ${safeLabel(command)}`];
}

function appliesText(patch: AppliesView): string {
  if (patch.applies === "yes") return "It would apply here.";
  if (patch.applies === "unknown") return `Whether it would apply is not known: ${UNKNOWN[patch.reason]}.`;
  const failing = patch.failing
    .slice(0, MAX_NAMES)
    .map(({ path, reason }) => `${safeName(path)} (${reason})`);
  return `It would not apply here: ${failing.join(", ")}`;
}

/** How far one transfer is, in one short line. */
export function transferText(transfer: TransferView): string {
  switch (transfer.kind) {
    case "reading":
      return `reading ${safeLabel(transfer.path)} ${share(transfer.done, transfer.size)}`;
    case "receiving": {
      const { name, size, received, bytesPerSec, waitingForSender } = transfer;
      const how = waitingForSender ? ", waiting for the sender" : pace(size - received, bytesPerSec);
      return `receiving ${safeName(name)} ${share(received, size)}${how}`;
    }
    case "sending": {
      const { name, size, to, sent, bytesPerSec } = transfer;
      const whom = to === undefined ? "" : ` to ${safeName(to)}`;
      return `sending ${safeName(name)}${whom} ${share(sent, size)}${pace(size - sent, bytesPerSec)}`;
    }
  }
}

function share(done: number, size: number): string {
  const percent = size === 0 ? 0 : Math.floor((100 * done) / size);
  return `${percent} % (${sizeText(done)} of ${sizeText(size)})`;
}

function pace(left: number, bytesPerSec: number): string {
  if (bytesPerSec <= 0) return "";
  return `, ${sizeText(bytesPerSec)}/s, ${duration((left / bytesPerSec) * 1000)} left`;
}

/** The lines of `/files`. */
export function filesLines(
  files: FilesView,
  running: readonly TransferView[],
  numberOf: (fileId: string) => number,
): string[] {
  const label = ({ fileId, name, size }: FileView): string =>
    `  ${shortId(files, fileId)}  ${safeName(name)} (${sizeText(size)})`;
  const offered = files.offered.map((file) => {
    const gone = file.senderLeft ? ", who has left: it cannot be received any more" : "";
    return `  ${numberOf(file.fileId)} ${label(file)} from ${safeName(file.fromName)}${gone}`;
  });
  const shared = files.shared.map(label);
  const moving = running.map((transfer) => `  ${transferText(transfer)}`);
  const lines = [
    ...(offered.length === 0 ? [] : ["Offered by others (/save N, or /receive ID FILE):", ...offered]),
    ...(shared.length === 0 ? [] : ["Shared by you:", ...shared]),
    ...(moving.length === 0 ? [] : ["On the way:", ...moving]),
  ];
  return lines.length === 0 ? ["No file has been offered or shared here."] : lines;
}
