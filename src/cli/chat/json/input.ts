import { INTENTS } from "../../../protocol/room/intent.ts";
import * as z from "zod";
import { TunnelError } from "../../../errors/tunnel-error.ts";
import { parseJson } from "../../../protocol/base/header.ts";
import { ROOM } from "../../../protocol/base/limits.ts";

const ref = z.union([z.string(), z.number()]).optional();

/**
 * The commands that a program may write to stdin, one a line. docs/CLI.md explains them, and a test reads its examples
 * with this schema.
 */
const commandSchema = z.union([
  z.strictObject({
    say: z.string(),
    to: z.array(z.string()).min(1).max(ROOM.maxMembers).optional(),
    intent: z.enum(INTENTS).optional(),
    replyTo: z.int().min(1).optional(),
    ref,
  }),
  z.strictObject({
    invite: z
      .int()
      .min(1)
      .max(ROOM.maxMembers - 1),
    ref,
  }),
  z.strictObject({ revoke: z.string(), ref }),
  z.strictObject({ remove: z.string(), ref }),
  z.strictObject({ status: z.literal(true), ref }),
  z.strictObject({
    share: z.strictObject({
      path: z.string().min(1),
      note: z.string().optional(),
      to: z.array(z.string()).min(1).max(ROOM.maxMembers).optional(),
    }),
    ref,
  }),
  z.strictObject({
    receive: z.strictObject({ fileId: z.string(), savePath: z.string(), overwrite: z.boolean().optional() }),
    ref,
  }),
  z.strictObject({ close: z.literal(true) }),
]);

export type JsonCommand = z.infer<typeof commandSchema>;

const NAMES = ["say", "invite", "revoke", "remove", "status", "share", "receive", "close"];

/** @throws {TunnelError} input-invalid, which tells the fault and quotes nothing of the line */
export function parseJsonCommand(line: string): JsonCommand {
  const value = parseJson(line);
  if (value === undefined) throw new TunnelError("input-invalid", { detail: "the line is not JSON" });
  const result = commandSchema.safeParse(value);
  if (result.success) return result.data;
  throw new TunnelError("input-invalid", { detail: problemOf(value, result.error) });
}

/** The fault in the command that was meant. The schema itself can only say that no alternative fits. */
function problemOf(value: unknown, error: z.ZodError): string {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const meant = isObject ? NAMES.findIndex((name) => Object.hasOwn(value, name)) : -1;
  const [choice] = error.issues;
  const issues = choice?.code === "invalid_union" ? choice.errors[meant] : error.issues;
  if (issues === undefined) return `the line must be an object with one of ${NAMES.join(", ")}`;
  return issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": ")).join("; ");
}
