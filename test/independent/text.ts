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
  return isRight && !letters.some(isForbiddenInLabels);
}

/** T2 */
export const isMessageText = (text: string): boolean =>
  trimmed(text) !== "" && !Array.from(text).some(isForbiddenInMessages);

/** G1: as members compare names, whatever the host's platform takes for the same. */
export const plainName = (name: string): string =>
  Array.from(name, (letter) => (letter >= "A" && letter <= "Z" ? letter.toLowerCase() : letter)).join("");
