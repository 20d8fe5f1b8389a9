import { sizeText } from "../../../view/files.ts";
import { toBase64url, toHex } from "../../../protocol/base/bytes.ts";
import type { FileOffer } from "../../../protocol/files/offer.ts";
import type { OwnOffer } from "../../../session/files/requests.ts";
import type { PatchInspection } from "../../../session/git/inspect-patch.ts";
import type { OpenTunnel } from "../../../session/sessions.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { safeLabel } from "./safe-text.ts";
import { shortId, type Transfer } from "../conversation/transfers.ts";
import { duration } from "./wording.ts";

/** What people are told of files. Names are made safe here, but for `offerText`, which is shown as what somebody said. */

/** A file as somebody in a chat is told of it. */
export function offerText({ id, name, size, note }: FileOffer, tunnel: OpenTunnel | undefined): string {
  const whole = toBase64url(id);
  const fileId = tunnel === undefined ? whole : shortId(tunnel.files, whole);
  const about = note === undefined ? "" : `\n${note}`;
  return `offers ${name} (${sizeText(size)}): /receive ${fileId} FILE${about}`;
}

export function sharedText({ name, size, sent, offeredTo }: OwnOffer): string {
  const whom = offeredTo.length === 0 ? "nobody at present" : offeredTo.map(safeLabel).join(", ");
  const late = sent.status === "queued" ? ` Not told yet: ${sent.reason}.` : "";
  return `${safeLabel(name)} (${sizeText(size)}) is offered to ${whom}.${late} Stay here and leave the file as it is until they have it.`;
}

export function receivedLines({
  offer,
  target,
  from,
  inspection,
}: Extract<ChatEvent, { type: "received" }>): string[] {
  const whose = from === undefined ? "its sender" : safeLabel(from);
  return [
    `${safeLabel(offer.name)} (${sizeText(offer.size)}) is saved as ${safeLabel(target)}`,
    `  It is what ${whose} offered (SHA-256 ${toHex(offer.hash).slice(0, 16)}…). That does not make it safe: look before you run, install or apply it.`,
    ...(inspection === undefined ? [] : patchLines(inspection)),
  ];
}

const UNKNOWN = {
  "no-repository": "there is no git repository here",
  malformed: "it is no patch that git takes",
  "too-large": "it is too large to be tried",
  "git-failed": "git could not be asked",
} as const;
/** Names of a patch that are shown. */
const MAX_NAMES = 10;

function patchLines({ applies, fileCount, insertions, deletions, suspicions }: PatchInspection): string[] {
  const facts = `A patch to ${fileCount} files, +${insertions} -${deletions}, saved and not applied.`;
  const odd = suspicions.length === 0 ? [] : [`  Take care, it has: ${suspicions.join(", ")}`];
  return [`  ${facts} ${appliesText(applies)}`, ...odd];
}

function appliesText(applies: PatchInspection["applies"]): string {
  if (applies.kind === "yes") return "It would apply here.";
  if (applies.kind === "unknown") return `Whether it would apply is not known: ${UNKNOWN[applies.reason]}.`;
  const failing = applies.failing
    .slice(0, MAX_NAMES)
    .map(({ path, reason }) => `${safeLabel(path)} (${reason})`);
  return `It would not apply here: ${failing.join(", ")}`;
}

/** How far one transfer is, to be read in passing. */
export function transferText(transfer: Transfer): string {
  switch (transfer.kind) {
    case "reading":
      return `reading ${safeLabel(transfer.path)} ${share(transfer.done, transfer.size)}`;
    case "receiving": {
      const { offer } = transfer.download;
      const { received, bytesPerSecond, isFlowing } = transfer.state;
      const how = isFlowing ? pace(offer.size - received, bytesPerSecond) : ", waiting for the sender";
      return `receiving ${safeLabel(offer.name)} ${share(received, offer.size)}${how}`;
    }
    case "sending": {
      const { offer, to, sent, bytesPerSec } = transfer;
      return `sending ${safeLabel(offer.name)} to ${safeLabel(to)} ${share(sent, offer.size)}${pace(offer.size - sent, bytesPerSec)}`;
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

/** What `/files` prints. */
export function filesLines(tunnel: OpenTunnel, running: readonly Transfer[]): string[] {
  const { files } = tunnel;
  const isHere = (id: string): boolean => tunnel.presence().some((one) => one.id === id);
  const label = ({ id, name, size }: FileOffer): string =>
    `  ${shortId(files, toBase64url(id))}  ${safeLabel(name)} (${sizeText(size)})`;
  const offered = files.offered.map(({ entry }) => {
    const gone = isHere(entry.from) ? "" : ", who has left: it cannot be received any more";
    return `${label(entry.offer)} from ${safeLabel(entry.fromName)}${gone}`;
  });
  const shared = files.shares.map(({ offer }) => label(offer));
  const moving = running.map((transfer) => `  ${transferText(transfer)}`);
  const lines = [
    ...(offered.length === 0 ? [] : ["Offered by others (/receive ID FILE):", ...offered]),
    ...(shared.length === 0 ? [] : ["Shared by you:", ...shared]),
    ...(moving.length === 0 ? [] : ["On the way:", ...moving]),
  ];
  return lines.length === 0 ? ["No file has been offered or shared here."] : lines;
}
