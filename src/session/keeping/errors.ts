import * as z from "zod/mini";
import { ERRORS, TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";

/** An error as a later process reads it: the table has its words. */
export const keptError = z.strictObject({
  code: z.string().check(z.refine((code) => Object.hasOwn(ERRORS, code))),
  detail: z.optional(z.string()),
});

export function errorKept({ code, detail }: TunnelError): z.infer<typeof keptError> {
  return { code, ...(detail === undefined ? {} : { detail }) };
}

/** `internal` for a code that there is not: the schema lets none through. */
export function errorAgain({ code, detail }: z.infer<typeof keptError>): TunnelError {
  return new TunnelError(isCode(code) ? code : "internal", detail === undefined ? {} : { detail });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
