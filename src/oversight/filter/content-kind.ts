import { Buffer } from "node:buffer";

/** How content is to be read, as far as its beginning tells. */
export type ContentKind =
  | { readonly kind: "bytes" }
  | { readonly kind: "utf-16"; readonly isBigEndian: boolean }
  /** An archive, or packed otherwise: what is in it cannot be seen. */
  | { readonly kind: "compressed" };

/** The first bytes of packed formats (from their specifications), in hex. */
const PACKED = [
  "1f8b", // gzip
  "1f9d", // compress
  "504b0304", // ZIP, and all that is one: Office documents, JAR, wheels
  "504b0506",
  "504b0708",
  "425a68", // bzip2; see below
  "fd377a585a00", // xz
  "28b52ffd", // Zstandard
  "377abcaf271c", // 7z
  "526172211a07", // RAR
  "04224d18", // LZ4
  "4c5a4950", // lzip
  "774f4632", // WOFF2
  "255044462d", // PDF
].map((hex) => Buffer.from(hex, "hex"));

/** Bytes at the beginning that are enough to tell. */
export const HEAD_BYTES = 1024;

export function kindOf(head: Buffer): ContentKind {
  if (PACKED.some((magic) => head.subarray(0, magic.length).equals(magic)) && !isWord(head))
    return { kind: "compressed" };
  if (head[0] === 0xff && head[1] === 0xfe) return { kind: "utf-16", isBigEndian: false };
  if (head[0] === 0xfe && head[1] === 0xff) return { kind: "utf-16", isBigEndian: true };
  const [even, odd] = zeroShares(head.subarray(0, HEAD_BYTES));
  if (odd > 0.4 && even < 0.05) return { kind: "utf-16", isBigEndian: false };
  if (even > 0.4 && odd < 0.05) return { kind: "utf-16", isBigEndian: true };
  return { kind: "bytes" };
}

/** `BZh` and `LZIP` may begin a text. */
function isWord(head: Buffer): boolean {
  return /^(?:BZh(?![1-9]1AY&SY)|LZIP[\x20-\x7e])/.test(head.toString("latin1", 0, 10));
}

/** The shares of zeros among the bytes at even places and at odd ones: half of ASCII in UTF-16 are zeros. */
function zeroShares(bytes: Uint8Array): [even: number, odd: number] {
  const counts: [number, number] = [0, 0];
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] === 0) counts[at % 2 === 0 ? 0 : 1] += 1;
  const pairs = Math.max(1, bytes.length / 2);
  return [counts[0] / pairs, counts[1] / pairs];
}

/** Share of controls that no text has. */
const MAX_CONTROLS = 0.05;
const SAMPLE = 4096;

/** Whether this is no text: it has a zero in it, or more controls than any text. */
export function isBinary(bytes: Buffer): boolean {
  if (bytes.includes(0)) return true;
  const sample = bytes.subarray(0, SAMPLE);
  let controls = 0;
  for (const byte of sample) if (byte < 0x20 && (byte < 0x07 || byte > 0x0d) && byte !== 0x1b) controls += 1;
  return controls > sample.length * MAX_CONTROLS;
}

/** git's own form of binary changes: what follows is packed. */
export function hasPackedChange(bytes: Buffer): boolean {
  return /(?:^|\n)GIT binary patch\r?\n(?:literal|delta) /.test(aroundMark(bytes));
}

const MARK = "GIT binary patch";

function aroundMark(bytes: Buffer): string {
  const at = bytes.indexOf(MARK, 0, "latin1");
  return at < 0 ? "" : bytes.toString("latin1", Math.max(0, at - 1), at + MARK.length + 16);
}
