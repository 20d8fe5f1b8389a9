/**
 * Field lines of a message as they stood on the wire: name and value in turn, in their order, case and number. Each character is one
 * byte (Latin-1), as `rawHeaders` of Node gives them (RFC 9110 §5.5: obs-text is opaque).
 */
export type RawFields = readonly string[];

/** A request before anything of it has reached the service. */
export interface RequestHead {
  readonly method: string;
  /** Origin-form: path and query, byte for byte (RFC 9110 §7.7). */
  readonly target: string;
  readonly fields: RawFields;
}

/** The head of a response. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: RawFields;
}

/** Something that the gateway says itself, marked as such: it is never mistaken for an answer of the service. */
export interface OwnAnswer {
  readonly status: number;
  /** Why, in one word for the mark and the log: `no-access`, `gone`, `connection_refused` … (RFC 9209 where it has one). */
  readonly why: string;
  readonly fields?: RawFields;
  /** Text, or a whole page with its own `Content-Type` in `fields`. */
  readonly body: string;
  /** It holds credentials: neither its fields nor its body are recorded. */
  readonly isPrivate?: true;
}

/** Values of a field, in their order; names are compared without case (RFC 9110 §5.1). */
export function valuesOf(fields: RawFields, name: string): readonly string[] {
  const wanted = name.toLowerCase();
  const values: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]?.toLowerCase() === wanted) values.push(fields[index + 1] ?? "");
  }
  return values;
}

/** The fields without those of these names, which are in lower case. */
export function without(fields: RawFields, names: ReadonlySet<string>): RawFields {
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? "";
    if (!names.has(name.toLowerCase())) kept.push(name, fields[index + 1] ?? "");
  }
  return kept;
}
