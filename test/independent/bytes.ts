/** Section 1 of docs/PROTOCOL.md: how numbers, lists and texts are written. Pure. */
export type Bytes = Uint8Array;

export const EMPTY: Bytes = new Uint8Array(0);

export function concat(...parts: readonly Bytes[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

export const isEqual = (a: Bytes, b: Bytes): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

const viewOf = (bytes: Bytes): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Big-endian (C1). */
function unsigned(size: number, write: (view: DataView) => void): Bytes {
  const bytes = new Uint8Array(size);
  write(viewOf(bytes));
  return bytes;
}
export const u16 = (value: number): Bytes => unsigned(2, (view) => view.setUint16(0, value));
export const u32 = (value: number): Bytes => unsigned(4, (view) => view.setUint32(0, value));
export const u64 = (value: number): Bytes => unsigned(8, (view) => view.setBigUint64(0, BigInt(value)));

export const readU16 = (bytes: Bytes, at: number): number => viewOf(bytes).getUint16(at);
export const readU32 = (bytes: Bytes, at: number): number => viewOf(bytes).getUint32(at);
/** Undefined above 2^53 − 1 (C1). */
export function readU64(bytes: Bytes, at: number): number | undefined {
  const value = Number(viewOf(bytes).getBigUint64(at));
  return Number.isSafeInteger(value) ? value : undefined;
}

export const utf8 = (text: string): Bytes => Uint8Array.from(Buffer.from(text, "utf8"));
/** Undefined for what is not UTF-8. A byte order mark is a character like any other. */
export function readUtf8(bytes: Bytes): string | undefined {
  const text = Buffer.from(bytes).toString("utf8");
  return isEqual(utf8(text), bytes) ? text : undefined;
}

/** `lp(a, b, …)`: every field preceded by its length as `u32`. A text stands for its UTF-8. */
export const lp = (...fields: readonly (Bytes | string)[]): Bytes =>
  concat(
    ...fields.flatMap((field) => {
      const bytes = typeof field === "string" ? utf8(field) : field;
      return [u32(bytes.length), bytes];
    }),
  );

export const hex = (bytes: Bytes): string => Buffer.from(bytes).toString("hex");
export const fromHex = (text: string): Bytes => Uint8Array.from(Buffer.from(text, "hex"));

export const base64url = (bytes: Bytes): string => Buffer.from(bytes).toString("base64url");
/** Undefined for any text but the one that `size` bytes have (C2). */
export function readBase64url(text: string, size: number): Bytes | undefined {
  const bytes = Uint8Array.from(Buffer.from(text, "base64url"));
  return bytes.length === size && base64url(bytes) === text ? bytes : undefined;
}
