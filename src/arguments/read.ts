import * as z from "zod";
import { TunnelError } from "../errors/tunnel-error.ts";
import { formOf } from "./form.ts";
import { nearest } from "../errors/nearest.ts";
import { fieldOf, fieldsOf, plainly, type Fields } from "./plain.ts";
import { STRINGS } from "./strings.ts";

/**
 * The arguments of a call, as its schema wants them: read as what they plainly mean, or refused with the name and the form of
 * each that is wrong. A value is never quoted, since it may be a secret.
 * @param callee the tool or command, to tell a call that was wrapped into its own arguments
 * @throws {TunnelError} input-invalid, or the code that the schema has for an empty text
 */
export function readArguments<Schema extends z.ZodObject>(
  schema: Schema,
  given: unknown,
  callee?: string,
): z.infer<Schema> {
  const fields = unwrapped(schema, given, callee);
  const value = plainly(schema, fields);
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw invalid(parsed.error.issues.flatMap((issue) => problemsOf(schema, value, issue)).join("; "));
  refuseEmpty(schema, parsed.data);
  return parsed.data;
}

function invalid(detail: string): TunnelError {
  return new TunnelError("input-invalid", { detail });
}

/** Names under which models and clients hand over all arguments at once. */
const WRAPPERS = ["arguments", "args", "input", "params", "parameters", "kwargs"];
/** Names of the tool beside them, where the whole call was handed over. */
const CALLEES = ["name", "tool", "tool_name", "toolName"];
const MAX_WRAPPERS = 3;

/** The arguments themselves: an object, also as JSON, in a list of one, or wrapped once more. */
function unwrapped(schema: z.ZodObject, given: unknown, callee: string | undefined): Fields {
  let fields = fieldsIn(given) ?? refuseRoot(schema, "arguments");
  for (let depth = 0; depth < MAX_WRAPPERS; depth += 1) {
    const wrapper = wrapperIn(schema, fields, callee);
    if (wrapper === undefined) break;
    fields = fieldsIn(fields[wrapper]) ?? refuseRoot(schema, wrapper);
  }
  return fields;
}

/** An object, or nothing: none, `null`, an empty text, and the empty list by which PHP writes an empty object. */
function fieldsIn(value: unknown): Fields | undefined {
  const isNothing =
    value === undefined ||
    value === null ||
    (typeof value === "string" && value.trim() === "") ||
    (Array.isArray(value) && value.length === 0);
  return isNothing ? {} : fieldsOf(value);
}

/** @throws {TunnelError} input-invalid */
function refuseRoot(schema: z.ZodObject, name: string): never {
  throw invalid(`${name}: must be ${formOf(schema)}`);
}

function wrapperIn(schema: z.ZodObject, fields: Fields, callee: string | undefined): string | undefined {
  const names = Object.keys(fields);
  const wrapper = names.find((name) => WRAPPERS.includes(name) && !Object.hasOwn(schema.shape, name));
  const others = names.filter((name) => name !== wrapper);
  const isWhole = others.every(
    (name) => CALLEES.includes(name) && callee !== undefined && fields[name] === callee,
  );
  return isWhole ? wrapper : undefined;
}

type Issue = z.core.$ZodIssue;

function problemsOf(schema: z.ZodObject, value: unknown, issue: Issue): string[] {
  const at = follow(schema, value, issue.path);
  const name = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const accepted = at.schema instanceof z.ZodObject ? Object.keys(at.schema.shape) : [];
    return issue.keys.map((key) => unknownName(key, accepted, name));
  }
  const isMissing = at.value === undefined ? "is missing, and " : "";
  return [`${name}: ${isMissing}must be ${formOf(at.schema)}`];
}

/** The schema and the value at a path: where a list item is wrong, those of the item. */
function follow(
  schema: z.core.$ZodType,
  value: unknown,
  path: Issue["path"],
): { readonly schema: z.core.$ZodType; readonly value: unknown } {
  const [step, ...rest] = path;
  if (step === undefined) return { schema, value };
  const bare = schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? schema.unwrap() : schema;
  const inner = bare instanceof z.ZodObject ? fieldOf(bare, String(step)) : undefined;
  const item = bare instanceof z.ZodArray ? bare.element : inner;
  const field: unknown =
    typeof value === "object" && value !== null && Object.hasOwn(value, step)
      ? Reflect.get(value, step)
      : undefined;
  return item === undefined ? { schema: bare, value } : follow(item, field, rest);
}

/** A name may be a slip that holds a secret: only what looks like one is repeated. */
const NAME = /^[\w.-]{1,40}$/;

/**
 * The refusal of a name that does not exist, with the nearest one and all that do.
 * @param within where it stands; the empty text for the call itself
 */
export function unknownName(name: string, accepted: readonly string[], within = ""): string {
  const near = nearest(name, accepted);
  const shown = NAME.test(name) ? `${within === "" ? "" : `${within}.`}${name}` : "an argument";
  const meant = near === undefined ? "" : `, did you mean ${near}?`;
  return `${shown}: there is no such argument${meant === "" ? "." : meant} Accepted are ${accepted.join(", ")}`;
}

/** @throws {TunnelError} for a required text that is empty */
function refuseEmpty(schema: z.ZodObject, data: Fields): void {
  const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
  for (const [name, field] of Object.entries(shape)) {
    if (data[name] !== "") continue;
    const code = STRINGS.get(field)?.emptyIs;
    if (code !== undefined)
      throw new TunnelError(code, { detail: `${name}: must be ${formOf(field)}, and it is empty` });
  }
}
