/** The options that were given: a value, `true` for one that takes none, and a list for one that may be repeated as it is. */
export type Values = ReadonlyMap<string, string | true | readonly string[]>;

export function text(values: Values, name: string): string | undefined {
  const value = values.get(name);
  return typeof value === "string" ? value : undefined;
}

/** The values of an option that may be given several times, in their order. */
export function texts(values: Values, name: string): readonly string[] {
  const value = values.get(name);
  return typeof value === "object" ? value : [];
}
