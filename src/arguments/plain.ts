import * as z from "zod";
import { parseJson } from "../protocol/base/json.ts";
import { STRINGS } from "./strings.ts";

/**
 * The value that an argument plainly means where it has another type than its schema says: models and their clients write numbers
 * as digits, lists as JSON, and `null` for nothing. What could be meant in two ways comes back as it is, for the schema to
 * refuse. Words are never changed.
 */
export function plainly(schema: z.core.$ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    const inner = schema.unwrap();
    return isNone(inner, value) ? undefined : plainly(inner, value);
  }
  if (schema instanceof z.ZodObject) return plainObject(schema, value);
  if (schema instanceof z.ZodArray) return plainList(schema, value);
  if (schema instanceof z.ZodRecord) return fieldsOf(value) ?? value;
  if (schema instanceof z.ZodUnion) return plainOneOf(schema, value);
  const single = only(value);
  if (schema instanceof z.ZodNumber) return plainNumber(single);
  if (schema instanceof z.ZodBoolean || schema instanceof z.ZodLiteral) return plainBoolean(single);
  if (schema instanceof z.ZodEnum) return plainChoice(schema, single);
  if (schema instanceof z.ZodString) return isId(schema) ? plainId(single) : single;
  return value;
}

/** Words in which other languages write that there is nothing. */
const NONE_WORDS = /^(?:|null|undefined|NULL|Null|None)$/;

/** Whether an optional argument was given as nothing. Words and lists of them may be any text but the empty one. */
function isNone(schema: z.core.$ZodType, value: unknown): boolean {
  if (value === "") return STRINGS.get(schema)?.keepsEmpty !== true;
  if (value === undefined || value === null) return true;
  const holdsWords =
    schema instanceof z.ZodArray ||
    schema instanceof z.ZodUnion ||
    (schema instanceof z.ZodString && !isId(schema));
  return typeof value === "string" && !holdsWords && NONE_WORDS.test(bare(value));
}

export function isId(schema: z.core.$ZodType): boolean {
  return STRINGS.get(schema)?.isId === true;
}

/** The item of a list of one, where a single value is meant. */
function only(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? (value[0] as unknown) : value;
}

/** Without the space around it, nor a pair of quotation marks or backticks. */
function bare(text: string): string {
  const trimmed = text.trim();
  return /^(["'`])(.*)\1$/s.exec(trimmed)?.[2]?.trim() ?? trimmed;
}

/** Digits alone: `1e3`, `0x10`, `1,000` and `5 s` are not for us to read. */
const DECIMAL = /^[+-]?\d+(?:\.\d+)?$/;

function plainNumber(value: unknown): unknown {
  const text = typeof value === "string" ? bare(value) : undefined;
  const number = text !== undefined && DECIMAL.test(text) ? Number(text) : value;
  // There is but one zero.
  return number === 0 ? 0 : number;
}

function plainBoolean(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const text = bare(value).toLowerCase();
  return text === "true" ? true : text === "false" ? false : value;
}

function plainChoice(schema: z.ZodEnum, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const text = bare(value).toLowerCase();
  return schema.options.find((option) => String(option).toLowerCase() === text) ?? value;
}

function plainId(value: unknown): unknown {
  // An id of digits alone may come as a number, as long as none of them is lost.
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? String(value) : value;
  return typeof value === "string" ? bare(value) : value;
}

/** A list, also written as JSON, and a single text for a list of one. */
function plainList(schema: z.ZodArray, value: unknown): unknown {
  const { element } = schema;
  const read = typeof value === "string" && value.trim().startsWith("[") ? parseJson(value) : undefined;
  const list: unknown = Array.isArray(read) ? read : value;
  if (Array.isArray(list)) return list.map((item: unknown) => plainly(element, item));
  return typeof list === "string" && list.trim() !== "" ? [plainly(element, list)] : list;
}

/** A list where one may stand; a single thing is left as it is, since several forms may fit. */
function plainOneOf(schema: z.ZodUnion, value: unknown): unknown {
  const list = schema.options.find((option) => option instanceof z.ZodArray);
  const isList = Array.isArray(value) || (typeof value === "string" && value.trim().startsWith("["));
  return list instanceof z.ZodArray && isList ? plainList(list, value) : value;
}

function plainObject(schema: z.ZodObject, value: unknown): unknown {
  const fields = fieldsOf(value);
  if (fields === undefined) return value;
  const read = Object.entries(fields).map(([name, field]): [string, unknown] => {
    const known = fieldOf(schema, name);
    return [name, known === undefined ? field : plainly(known, field)];
  });
  return Object.fromEntries(
    read.filter(([name, field]) => field !== undefined || !Object.hasOwn(schema.shape, name)),
  );
}

/** The schema of a field; `undefined` for a name that is none. */
export function fieldOf(schema: z.ZodObject, name: string): z.core.$ZodType | undefined {
  const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
  return Object.hasOwn(shape, name) ? shape[name] : undefined;
}

export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object, also written as JSON or alone in a list; `undefined` for what is none. */
export function fieldsOf(value: unknown): Fields | undefined {
  const single = only(value);
  const read = typeof single === "string" && single.trim().startsWith("{") ? parseJson(single) : single;
  return typeof read === "object" && read !== null && !Array.isArray(read) ? { ...read } : undefined;
}
