import { Buffer } from "node:buffer";
import { labelFault, withoutLabelFaults } from "../../protocol/base/labels.ts";
import { codePointName } from "../../protocol/base/text.ts";

/** The longest file name that the common file systems take, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;

/**
 * Names that Windows gives to devices, whatever the extension and in every folder. Digits include the superscripts that
 * it takes for them.
 */
const DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])$/i;
/** Windows does not take these in a name: wildcards, and the colon of drives and alternate streams. */
const NOT_PORTABLE = /[<>:"|?*]/;
const NOT_PORTABLE_ALL = new RegExp(NOT_PORTABLE.source, "g");
/** Controls, separators of lines, lone surrogates, and what reorders or hides text: `invoice<RLO>gpj.exe`. */
const NOT_PLAIN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Why not every system can hold a file of this name, or undefined where each can: the rules of all of them together. */
export function nameProblem(name: string): string | undefined {
  return misleadingName(name) ?? narrowName(name);
}

/** Why a text is no name that a file may get anywhere: it is none, or does not look like what it is. */
export function misleadingName(name: string): string | undefined {
  if (name === "") return "it does not end with a file name";
  if (name === "." || name === "..") return "`.` and `..` are not file names";
  // Joined emoji and the letters of some scripts need what is hidden elsewhere: a label may hold those.
  const fault = labelFault(name);
  if (fault !== undefined) {
    const character = codePointName(String.fromCodePoint(fault.point));
    return `the file name contains control or invisible characters (${character} at position ${fault.position}, counted from 0)`;
  }
  if (/[\\/]/.test(name)) return "the file name contains a separator of folders";
  return undefined;
}

/** Why some system cannot hold this name although it is one. */
export function narrowName(name: string): string | undefined {
  if (NOT_PORTABLE.test(name)) return 'the file name contains one of < > : " | ? *';
  if (/[. ]$/.test(name) || name.startsWith(" "))
    return "the file name begins or ends with a space, or ends with a dot";
  if (isDeviceName(name)) return "Windows gives that name to a device";
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `the file name is longer than ${MAX_NAME_BYTES} bytes`;
  return undefined;
}

/** The nearest name that every system can hold, of at most so many bytes, with the same extension. */
export function portableName(name: string, maxBytes: number = MAX_NAME_BYTES): string {
  const plain = name
    .replaceAll(NOT_PORTABLE_ALL, "_")
    .trim()
    .replace(/[. ]+$/, "");
  const free = plain === "" ? "unnamed" : isDeviceName(plain) ? `_${plain}` : plain;
  return cutName(free, maxBytes);
}

/** A longer ending is no extension, but a part of the name. */
const MAX_EXTENSION_BYTES = 32;

/** Cut between characters before the extension, which says what a file is. */
export function cutName(name: string, maxBytes: number): string {
  if (Buffer.byteLength(name) <= maxBytes) return name;
  const [extension = ""] = /(?<=.)\.[^. ]+$/su.exec(name) ?? [];
  const kept = Buffer.byteLength(extension) <= MAX_EXTENSION_BYTES ? extension : "";
  const stem = name.slice(0, name.length - kept.length);
  return `${cut(stem, maxBytes - Buffer.byteLength(kept)).replace(/[. ]+$/, "")}${kept}`;
}

/** Whether Windows would open a device instead of a file: it looks only at what is before the first dot or colon. */
export function isDeviceName(name: string): boolean {
  return DEVICE.test(name.replace(/[.:].*$/s, "").trimEnd());
}

/**
 * A name as a file system may take it for another one: macOS and Windows ignore case, HFS+ also invisible characters,
 * Windows dots and spaces at the end and the stream after a colon.
 */
export function foldedSegment(name: string): string {
  return name
    .normalize("NFKC")
    .replace(NOT_PLAIN, "")
    .replace(/:.*$/s, "")
    .replace(/[. ]+$/, "")
    .toLowerCase();
}

/** A peer's name for its file, as a label to be shown: never a path, and never used as one. */
export function safeName(peerName: string): string {
  const label = cutName(plainLabel(peerName.replace(/[\\/]+/g, "_"), Infinity), MAX_NAME_BYTES);
  return label === "" || label === "." || label === ".." ? "unnamed" : label;
}

/** A text on one line, without controls and what reorders or hides text where no letter or emoji needs it, cut to a length in bytes. */
export function plainLabel(text: string, maxBytes: number = MAX_NAME_BYTES): string {
  return withoutLabelFaults(cut(withoutLabelFaults(text.normalize("NFC")).trim(), maxBytes)).trim();
}

/**
 * A peer's text on one line, cut to a length in bytes, with all that it hides: whoever shows it takes that out and counts it,
 * or marks it.
 */
export function oneLine(text: string, maxBytes: number): string {
  return cut(text.normalize("NFC").replaceAll(/[\n\t]/g, " "), maxBytes);
}

function cut(plain: string, maxBytes: number): string {
  if (Buffer.byteLength(plain) <= maxBytes) return plain;
  let bytes = 0;
  let end = 0;
  for (const char of plain) {
    bytes += Buffer.byteLength(char);
    if (bytes > maxBytes) break;
    end += char.length;
  }
  return plain.slice(0, end).trimEnd();
}
