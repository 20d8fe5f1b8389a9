import { ViewBuilder, type View } from "./view.ts";

const AMPERSAND = 0x26;
const BACKSLASH = 0x5c;
const PERCENT = 0x25;

/** `\u0041`, `\u{41}`, `\x41`, `\n`, `%41`, `&#65;`, `&#x41;`: the escapes of JSON, JavaScript, URLs and HTML. */
const ESCAPE =
  /\\u00([0-9a-f]{2})|\\u\{0{0,4}([0-9a-f]{2})\}|\\x([0-9a-f]{2})|\\([nrt/"'])|%([0-9a-f]{2})|&#(\d{2,3});|&#x([0-9a-f]{2});/iy;
const SHORT: Readonly<Record<string, number>> = {
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  "/": 0x2f,
  '"': 0x22,
  "'": 0x27,
};
const LONGEST = 10;

/** The content with its escapes of ASCII taken off; undefined where it has none. */
export function unescaped(source: View): View | undefined {
  const { bytes } = source;
  let builder: ViewBuilder | undefined;
  let copied = 0;
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    if (byte !== BACKSLASH && byte !== PERCENT && byte !== AMPERSAND) {
      at += 1;
      continue;
    }
    ESCAPE.lastIndex = 0;
    const found = ESCAPE.exec(bytes.toString("latin1", at, at + LONGEST));
    const code = found === null ? undefined : codeOf(found);
    if (found === null || code === undefined || code > 0x7e) {
      at += 1;
      continue;
    }
    builder ??= new ViewBuilder("escaped", source);
    builder.copy(copied, at);
    builder.from(at);
    builder.put(code);
    at += found[0].length;
    copied = at;
    builder.from(at);
  }
  builder?.copy(copied, bytes.length);
  return builder?.build();
}

function codeOf([, json, braces, hex, short, percent, decimal, html]: RegExpExecArray): number | undefined {
  if (short !== undefined) return SHORT[short];
  if (decimal !== undefined) return Number(decimal);
  return Number.parseInt(json ?? braces ?? hex ?? percent ?? html ?? "0", 16);
}
