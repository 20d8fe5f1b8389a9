import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { Session, Sessions } from "../session/sessions.ts";
import type { Command, Told } from "./protocol.ts";

/** A person reads so much of a file here, in bytes; the rest is looked at elsewhere. */
const MAX_BYTES = 128 * 1024;

type Look = Extract<Command, { do: "look" }>;

/**
 * The beginning of a file that this side offers, or is asked about, or has received; secrets in it are masked. Of a file that waits
 * for a decision these are the very bytes that would go.
 * @throws {TunnelError} tunnel-unknown, ask-unknown, look-not-here, look-not-text, share-changed, share-gone, scan-failed
 */
export async function look(command: Look, sessions: Sessions): Promise<Told> {
  const tunnel = sessions.resolve(command.tunnelId);
  const { bytes, size, isPatch } = await contentOf(command, tunnel, sessions);
  const isWhole = bytes.length >= size;
  const text = textOf(bytes, isWhole);
  if (text === undefined) throw new TunnelError("look-not-text");
  return { told: "look", text: await sessions.withoutSecrets(text), isPatch, isWhole };
}

interface Content {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly isPatch: boolean;
}

async function contentOf(command: Look, tunnel: Session, sessions: Sessions): Promise<Content> {
  const own = tunnel.files.own(ownBy(command, sessions));
  if (own !== undefined) {
    const { source, offer } = own;
    const bytes = await source.read(0, Math.min(MAX_BYTES, source.size));
    return { bytes, size: source.size, isPatch: offer.patch !== undefined };
  }
  const received = command.file === undefined ? undefined : tunnel.files.saved(command.file);
  if (received === undefined || received.offer.tree !== undefined) throw new TunnelError("look-not-here");
  const { offer, target } = received;
  return { ...(await beginningOf(target)), isPatch: offer.patch !== undefined };
}

function ownBy(
  { ask, file }: Look,
  { overseer }: Sessions,
): { readonly fileId?: string; readonly sha256?: string } {
  if (ask === undefined) return file === undefined ? {} : { fileId: file };
  const asked = overseer.asks.waiting.find(({ id }) => id === ask);
  if (asked?.subject.kind !== "file") throw new TunnelError("ask-unknown");
  return { sha256: asked.subject.contentHash };
}

/** A file as it lies on the disk now. */
async function beginningOf(file: string): Promise<Pick<Content, "bytes" | "size">> {
  try {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(MAX_BYTES, size)), 0);
      return { bytes: buffer.subarray(0, bytesRead), size };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new TunnelError("look-not-here", { cause });
  }
}

/** @returns undefined where it is no text; a character that was cut in two at the end is left out */
function textOf(bytes: Uint8Array, isWhole: boolean): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !isWhole });
  } catch {
    return undefined;
  }
}
