/** Section 11 of docs/PROTOCOL.md. */
const FORBIDDEN_IN_LABELS = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** Of the controls a message may have newline and tab only (T2). */
const FORBIDDEN_IN_MESSAGES = /(?![\n\t])\p{Cc}|\p{Cs}/u;

/** T1, for labels of this many code points. */
export const isLabel = (text: string, maxChars: number): boolean =>
  text !== "" &&
  text.trim() === text &&
  Array.from(text).length <= maxChars &&
  !FORBIDDEN_IN_LABELS.test(text);

/** T2 */
export const isMessageText = (text: string): boolean =>
  text.trim() !== "" && !FORBIDDEN_IN_MESSAGES.test(text);

/** G1: two names that are the same to the room have the same fold. */
export const foldName = (name: string): string => name.normalize("NFKC").toLowerCase().normalize("NFKC");
