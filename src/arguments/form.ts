import * as z from "zod";
import { isId } from "./plain.ts";

/** The form of an argument in words, to stand behind "must be". */
export function formOf(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return formOf(schema.unwrap());
  if (schema instanceof z.ZodNumber) return numberForm(schema);
  if (schema instanceof z.ZodBoolean) return "true or false";
  if (schema instanceof z.ZodLiteral) return Array.from(schema.values, String).join(" or ");
  if (schema instanceof z.ZodEnum) return `one of ${schema.options.join(", ")}`;
  if (schema instanceof z.ZodString) return isId(schema) ? "an id" : "a text";
  if (schema instanceof z.ZodArray) return `a list of texts, such as ["Ben"]`;
  if (schema instanceof z.ZodObject) return `an object with ${Object.keys(schema.shape).join(", ")}`;
  if (schema instanceof z.ZodRecord) return 'an object such as {"x-name": "value"}';
  if (schema instanceof z.ZodNullable) return `${formOf(schema.unwrap())} or null`;
  if (schema instanceof z.ZodUnion) return schema.options.map(formOf).join(" or ");
  return "of another form";
}

function numberForm(schema: z.ZodNumber): string {
  const kind = schema.isInt ? "a whole number" : "a number";
  const [least, most] = [schema.minValue, schema.maxValue].map((bound) =>
    bound !== null && Math.abs(bound) < Number.MAX_SAFE_INTEGER ? bound : undefined,
  );
  if (least !== undefined && most !== undefined) return `${kind} from ${least} to ${most}`;
  return least === undefined ? kind : `${kind}, at least ${least}`;
}
