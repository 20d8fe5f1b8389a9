/** Colour sequences that were taken out of what this side gave, for the field `removed` of a result; undefined for none. */
export function removedText(count: number): string | undefined {
  return count === 0 ? undefined : `${count} control sequence${count === 1 ? "" : "s"}`;
}
