/** The beginning of a text, with an ellipsis where more comes. Never half of a surrogate pair. @param chars UTF-16 units */
export function shortened(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
