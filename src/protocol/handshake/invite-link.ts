import { fromBase64url, toBase64url, type Bytes } from "../base/bytes.ts";
import { trim } from "../base/characters.ts";
import { parseBoxKey } from "../base/public-keys.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { parseRoomId, type RoomId } from "../base/ids.ts";
import { isObserverRole, type ObserverRole } from "./role.ts";

/** The parts of an invite link (PROTOCOL §2). `key` is the secret that makes it an invite. */
export interface InviteLink {
  /** Origin to dial: scheme, host and port, without a path. */
  readonly origin: string;
  readonly room: RoomId;
  /** 32 bytes, fresh per invite. */
  readonly key: Bytes;
  /** The host's X25519 public key, 32 bytes, fresh per session. */
  readonly hostKey: Bytes;
  /** It makes an observer (Q1); a member where left out. */
  readonly role?: ObserverRole | undefined;
}

export const KEY_BYTES = 32;
const LINK_VERSION = "1";
const MAX_LINK_CHARS = 512;
/** Lower-case DNS name, dotted IPv4 or bracketed IPv6 literal, with an optional port. */
const ORIGIN =
  /^(wss?):\/\/((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*|\[[0-9a-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?$/;

export function isOrigin(text: string): boolean {
  const match = ORIGIN.exec(text);
  return match !== null && Number(match[3] ?? 0) <= 65_535;
}

export function formatLink(link: InviteLink): string {
  const role = link.role === undefined ? [] : [link.role];
  const fragment = [LINK_VERSION, toBase64url(link.key), toBase64url(link.hostKey), ...role].join(".");
  return `${link.origin}/t/${link.room}#${fragment}`;
}

/** The URL to dial: the link without its fragment, which never leaves the guest (L3). */
export function dialUrl(origin: string, room: RoomId): string {
  return `${origin}/t/${room}`;
}

function malformed(detail: string): TunnelError {
  return new TunnelError("link-malformed", { detail });
}

/**
 * Strict (L1, L2): one text per link, everything else refused. Space and the marks that chat programs put around a
 * link are not part of it.
 * @throws {TunnelError} link-malformed, link-version
 */
export function parseLink(text: string): InviteLink {
  // Before anything that looks at every character: the text may be anybody's.
  if (text.length > 2 * MAX_LINK_CHARS) throw malformed("it is too long");
  const link = trim(text).replace(/^[<`"']+|[>`"']+$/g, "");
  if (link.length > MAX_LINK_CHARS) throw malformed("it is too long");
  const hash = link.indexOf("#");
  // Behind the scheme and a host of one letter at least, since a host may be called `t`.
  const path = link.indexOf("/t/", "ws://?".length);
  if (hash === -1) throw malformed("the part after # is missing");
  if (path === -1 || path > hash) throw malformed("it does not have the form wss://HOST/t/ROOM#…");
  const origin = link.slice(0, path);
  if (!isOrigin(origin)) throw malformed("the address before /t/ is not wss://HOST or ws://HOST");
  const room = parseRoomId(link.slice(path + 3, hash));
  if (room === undefined) throw malformed("the room between /t/ and # is not complete");

  return { origin, room, ...parseFragment(link.slice(hash + 1)) };
}

function parseFragment(fragment: string): Pick<InviteLink, "key" | "hostKey" | "role"> {
  const [version = "", key = "", hostKey = "", role, ...rest] = fragment.split(".");
  if (version !== LINK_VERSION && /^[0-9]{1,3}$/.test(version)) throw new TunnelError("link-version");
  const keyBytes = fromBase64url(key, KEY_BYTES);
  const hostKeyBytes = parseBoxKey(hostKey);
  const isLonger = rest.length > 0 || (role !== undefined && !isObserverRole(role));
  if (version !== LINK_VERSION || keyBytes === undefined || hostKeyBytes === undefined || isLonger) {
    throw malformed("the part after # is truncated or altered");
  }
  const keys = { key: keyBytes, hostKey: hostKeyBytes };
  return role === undefined || !isObserverRole(role) ? keys : { ...keys, role };
}
