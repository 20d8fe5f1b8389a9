import { toBase64url, toHex } from "../protocol/base/bytes.ts";
import type { FileOffer } from "../protocol/files/offer.ts";
import type { Download, DownloadState } from "../session/files/files.ts";
import type { OpenTunnel } from "../session/sessions.ts";
import { errorView, type Payload } from "../mcp/results/result.ts";

/** How files are shown to the model. */

/** What an offer says of its file; the name is a label, never a path. */
export function fileView({ id, name, size, hash, patch }: FileOffer): Payload {
  return { fileId: toBase64url(id), name, size, sha256: toHex(hash), patch };
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** As people read sizes. */
export function sizeText(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 2 ** (step * 10);
  return `${step === 0 ? value : value.toFixed(1)} ${UNITS[step] ?? ""}`;
}

type Receiving = Extract<DownloadState, { name: "receiving" }>;

export function progressText(
  { offer }: Download,
  { received, bytesPerSecond, isFlowing }: Receiving,
): string {
  const done = `${sizeText(received)} of ${sizeText(offer.size)}`;
  return isFlowing
    ? `received ${done}, ${sizeText(bytesPerSecond)}/s`
    : `waiting for the sender, ${done} so far`;
}

export function downloadView({ received, bytesPerSecond, isFlowing }: Receiving, size: number): Payload {
  return {
    received,
    bytesPerSec: bytesPerSecond,
    etaSec: bytesPerSecond > 0 ? Math.ceil((size - received) / bytesPerSecond) : undefined,
    waitingForSender: isFlowing ? undefined : true,
  };
}

/** What is on its way, and what could be, in one tunnel; nothing where there is nothing. */
export function filesView(tunnel: OpenTunnel): Payload {
  const { files } = tunnel;
  const nameOf = (id: string): string | undefined =>
    tunnel.presence().find((member) => member.id === id)?.name;
  const receiving = files.downloads.map(({ fileId, offer, target, state }) => ({
    fileId,
    name: offer.name,
    savePath: target,
    size: offer.size,
    ...(state.name === "receiving" ? { status: state.name, ...downloadView(state, offer.size) } : {}),
    ...(state.name === "done" ? { status: "received" } : {}),
    ...(state.name === "failed" ? { status: state.name, error: errorView(state.error) } : {}),
  }));
  const shared = files.shares.map(({ offer }) => {
    const sending = files.serving
      .filter((one) => one.offer === offer)
      .map(({ who, sent, bytesPerSec }) => ({ to: nameOf(who), sent, bytesPerSec }));
    return { ...fileView(offer), sending: sending.length > 0 ? sending : undefined };
  });
  const offered = files.offered
    .slice(-MAX_OFFERED)
    .map(({ entry }) => ({ ...fileView(entry.offer), fromName: entry.fromName, seq: entry.seq }));
  if (receiving.length + shared.length + offered.length === 0) return {};
  return { files: { offered, shared, receiving } };
}

/** The latest; older ones are in the log. */
const MAX_OFFERED = 20;
