/** Readers of JSON values: each gives back what it was asked for, or refuses it (F2). */
import { readBase64url, type Bytes } from "./bytes.ts";
import { demand, Refused } from "./refusal.ts";

export type Reader<Value> = (value: unknown) => Value;
type Fields = Readonly<Record<string, Reader<unknown>>>;
/** The value of a reader, or of fields of readers. */
export type Read<R> = R extends Reader<infer Value> ? Value : never;
type Whole<Must extends Fields, May extends Fields> = { [Key in keyof Must]: Read<Must[Key]> } & {
  [Key in keyof May]?: Read<May[Key]>;
};

const violation = (why: string): Refused => new Refused("protocol-violation", why);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object of exactly these keys, of which `may` can be left out; the order of the keys stays, so that what was read can be written again. */
export const objectWith =
  <Must extends Fields, May extends Fields>(must: Must, may: May): Reader<Whole<Must, May>> =>
  (value) => {
    if (!isObject(value)) throw violation("no object");
    const readers = new Map(Object.entries({ ...may, ...must }));
    const missing = Object.keys(must).find((key) => !Object.hasOwn(value, key));
    if (missing !== undefined) throw violation(`no ${missing}`);
    const read = Object.entries(value).map(([key, field]) => {
      const reader = readers.get(key);
      if (reader === undefined) throw violation("a key that nobody knows");
      return [key, reader(field)] as const;
    });
    return Object.fromEntries(read) as Whole<Must, May>;
  };

/** An object of exactly these keys. */
export const object = <Must extends Fields>(must: Must) => objectWith(must, {});

/** One of several objects that differ in one key. */
export const variant =
  <Cases extends Fields>(key: string, cases: Cases): Reader<Read<Cases[keyof Cases]>> =>
  (value) => {
    const tag = isObject(value) ? value[key] : undefined;
    if (typeof tag !== "string" || !Object.hasOwn(cases, tag)) throw violation(`another ${key}`);
    return (cases as Record<string, Reader<unknown>>)[tag]?.(value) as Read<Cases[keyof Cases]>;
  };

export const integer =
  (from = 0, to = Number.MAX_SAFE_INTEGER): Reader<number> =>
  (value) => {
    const isOne = typeof value === "number" && Number.isSafeInteger(value) && value >= from && value <= to;
    if (!isOne) throw violation("no such number");
    return value;
  };

export const boolean: Reader<boolean> = (value) => {
  if (typeof value !== "boolean") throw violation("neither true nor false");
  return value;
};

export const text =
  (isRight: (text: string) => boolean): Reader<string> =>
  (value) => {
    if (typeof value !== "string" || !isRight(value)) throw violation("no such text");
    return value;
  };

export const oneOf =
  <const Word extends string>(...words: readonly Word[]): Reader<Word> =>
  (value) => {
    const word = words.find((one) => one === value);
    if (word === undefined) throw violation("a word outside the list");
    return word;
  };

export const bytes =
  (size: number): Reader<Bytes> =>
  (value) => {
    const read = typeof value === "string" ? readBase64url(value, size) : undefined;
    if (read === undefined) throw violation(`no ${size} bytes`);
    return read;
  };

/** Bytes that everybody handles as their text. */
export const idText = (size: number): Reader<string> =>
  text((value) => readBase64url(value, size) !== undefined);

export const list =
  <Value>(item: Reader<Value>, from: number, to: number): Reader<Value[]> =>
  (value) => {
    demand(Array.isArray(value), "protocol-violation", "no list");
    demand(value.length >= from && value.length <= to, "protocol-violation", "too few or too many");
    return value.map((one) => item(one));
  };

/** Puts one more condition on what was read. */
export const where =
  <Value>(reader: Reader<Value>, isRight: (value: Value) => boolean): Reader<Value> =>
  (value) => {
    const read = reader(value);
    if (!isRight(read)) throw violation("fields that do not fit together");
    return read;
  };
