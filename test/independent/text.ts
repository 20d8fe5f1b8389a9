/** Section 11 of docs/PROTOCOL.md. */

/** A set of characters from the ranges of the document, as it writes them. */
function characters(ranges: string): (letter: string) => boolean {
  const bounds = ranges.split(" ").map((range) => {
    const [first = "", last = first] = range.split("-");
    return [Number.parseInt(first, 16), Number.parseInt(last, 16)] as const;
  });
  return (letter) => {
    const point = letter.codePointAt(0) ?? -1;
    return bounds.some(([first, last]) => first <= point && point <= last);
  };
}

/** T1 */
const isForbiddenInLabels = characters(
  "0-1F 7F-9F AD 34F 600-605 61C 6DD 70F 890-891 8E2 115F-1160 17B4-17B5 180B-180F 200B-200F 2028-202E 2060-206F 2800 3164 " +
    "D800-F8FF FE00-FE0F FEFF FFA0 FFF0-FFFB 110BD 110CD 13430-1343F 1BCA0-1BCA3 1D173-1D17A E0000-E0FFF F0000-FFFFD " +
    "100000-10FFFD",
);
/** T1: the places that need some of them. */
const isEmoji = characters(
  "A9 AE 203C 2049 2100-214F 2190-21FF 2300-23FF 24C2 25A0-27BF 2900-297F 2B00-2BFF 3030 303D 3297 3299 " +
    "1F000-1FAFF",
);
const isJoined = characters(
  "620-65F 66E-6D3 6D5-6DC 6DF-6E8 6EA-6EF 6FA-6FC 6FF 710-74A 74D-77F 7CA-7F5 840-85B 860-86A 870-887 889-88F " +
    "897-8E1 8E3-963 971-9E3 9F0-9F1 A01-A5E A70-AE3 AF9-B63 B71 B82-BD7 C00-C63 C80-CE3 CF1-CF3 D00-D57 D5F-D63 " +
    "D7A-DDF DF2-DF3 F40-FBC 1000-103F 1050-108F 1780-17B3 17B6-17D3 1820-18AA A840-A873 A880-A8C5 A980-A9C0 " +
    "ABC0-ABED 11000-11046 11080-110BA 11100-11134 11180-111C4 1E900-1E94B",
);
const isVirama = characters("94D 9CD A4D ACD B4D BCD C4D CCD D3B-D3C D4D DCA");
const isIdeograph = characters("3005-3007 3400-9FFF F900-FAFF 20000-3FFFD");
const isMyanmar = characters("1000-109F AA60-AA7F");
const isMongolian = characters("1820-18AA");
const isTag = characters("E0020-E007F");
/** Three flags, and the code points of each are none of a label's own. */
const FLAG =
  /\u{1f3f4}\u{e0067}\u{e0062}(?:\u{e0065}\u{e006e}\u{e0067}|\u{e0073}\u{e0063}\u{e0074}|\u{e0077}\u{e006c}\u{e0073})\u{e007f}/gu;

function isNeeded(letters: readonly string[], at: number): boolean {
  const [letter = "", before = "", after = ""] = [letters[at], letters[at - 1], letters[at + 1]];
  const point = letter.codePointAt(0) ?? 0;
  if (point === 0xfe0e || point === 0xfe0f)
    return isEmoji(before) || (/^[#*0-9]$/.test(before) && after === "\u20e3");
  if (point === 0x200c) return isJoined(before) && isJoined(after);
  if (point === 0x200d) {
    const sign = before === "\ufe0f" ? (letters[at - 2] ?? "") : before;
    const isFollowed = after === "\u200c" || after === "\u200d";
    return (
      (isEmoji(sign) && isEmoji(after)) ||
      (isJoined(before) && isJoined(after)) ||
      (isVirama(before) && !isFollowed)
    );
  }
  if (point >= 0xfe00 && point <= 0xfe02) return isIdeograph(before) || isMyanmar(before);
  if (point >= 0xe0100 && point <= 0xe012f) return isIdeograph(before);
  return point >= 0x180b && point <= 0x180f && point !== 0x180e && isMongolian(before);
}

/** T2 */
const isForbiddenInMessages = characters("0-8 B-1F 7F-9F D800-DFFF");
const isSpace = characters("9-D 20 A0 1680 2000-200A 2028-2029 202F 205F 3000 FEFF");

/** Without white space at its ends (T2). */
export function trimmed(text: string): string {
  const letters = Array.from(text);
  const first = letters.findIndex((letter) => !isSpace(letter));
  const last = letters.findLastIndex((letter) => !isSpace(letter));
  return first === -1 ? "" : letters.slice(first, last + 1).join("");
}

/** T1, for labels of this many code points. */
export function isLabel(text: string, maxChars: number): boolean {
  const letters = Array.from(text);
  const isRight = letters.length > 0 && letters.length <= maxChars && trimmed(text) === text;
  // A whole flag is like any other sign.
  const rest = Array.from(text.replace(FLAG, "\u{1f3f4}"));
  return (
    isRight &&
    !rest.some((letter, at) => isForbiddenInLabels(letter) && (isTag(letter) || !isNeeded(rest, at)))
  );
}

/** T2 */
export const isMessageText = (text: string): boolean =>
  trimmed(text) !== "" && !Array.from(text).some(isForbiddenInMessages);

/** G1: as members compare names, whatever the host's platform takes for the same. */
export const plainName = (name: string): string =>
  Array.from(name, (letter) => (letter >= "A" && letter <= "Z" ? letter.toLowerCase() : letter)).join("");
