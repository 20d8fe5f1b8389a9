/** Section 2 of docs/PROTOCOL.md. */
import { readBase64url, type Bytes } from "./bytes.ts";
import { isWeakBoxKey } from "./ed25519.ts";
import { demand } from "./refusal.ts";
import { trimmed } from "./text.ts";

const MAX_CHARS = 512;
const MAX_CHARS_AROUND = 1_024;
const MAX_PORT = 65_535;

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const ORIGIN = String.raw`wss?://(?:${LABEL}(?:\.${LABEL})*|\[[0-9a-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?`;
const WHOLE_ORIGIN = new RegExp(`^${ORIGIN}$`);
const LINK = new RegExp(
  String.raw`^(${ORIGIN})/t/([A-Za-z0-9_-]{22})#1\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})(?:\.(observer|observer-history))?$`,
);
/** L2: what another version has after its number is not ours to judge. */
const OTHER_VERSION = new RegExp(String.raw`^${ORIGIN}/t/[A-Za-z0-9_-]{22}#(?!1(?:\.|$))[0-9]{1,3}(?:\.|$)`);
/** L2: marks around a link. */
const MARKS = /^[<`"']+|[>`"']+$/g;

const isPort = (port: string | undefined): boolean => port === undefined || Number(port) <= MAX_PORT;

/** Whether this is an `origin` of the grammar. */
export function isOrigin(text: string): boolean {
  const match = WHOLE_ORIGIN.exec(text);
  return match !== null && isPort(match[1]);
}

export interface Link {
  origin: string;
  room: Bytes;
  key: Bytes;
  hostKey: Bytes;
  /** Q1: that of an observer. */
  role: "observer" | "observer-history" | undefined;
}

/** @throws {Refused} `link-malformed` (L1), `link-version` (L2) */
export function parseLink(text: string): Link {
  demand(text.length <= MAX_CHARS_AROUND, "link-malformed", "too much around it");
  const link = trimmed(text).replaceAll(MARKS, "");
  demand(link.length <= MAX_CHARS, "link-malformed", "too long");
  demand(!OTHER_VERSION.test(link), "link-version", "another version");
  const [, origin, port, ...parts] = LINK.exec(link) ?? [];
  const [bytes, role] = [parts.slice(0, 3), parts[3]];
  const isRight = origin !== undefined && isPort(port);
  demand(isRight, "link-malformed", "not of the grammar");
  const [room, key, hostKey] = [16, 32, 32].map((size, at) => readBase64url(bytes[at] ?? "", size));
  const isWhole = room !== undefined && key !== undefined && hostKey !== undefined;
  demand(isWhole, "link-malformed", "bytes that have another text (C2)");
  demand(!isWeakBoxKey(hostKey), "link-malformed", "a key that agrees with nobody (K11)");
  return {
    origin,
    room,
    key,
    hostKey,
    role: role === "observer" || role === "observer-history" ? role : undefined,
  };
}
