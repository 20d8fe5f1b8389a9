import { INTENTS } from "../../../protocol/room/intent.ts";
import { SERVICE_KINDS } from "../../../protocol/services/kinds.ts";
import * as z from "zod";
import { fieldsOf, type Fields } from "../../../arguments/plain.ts";
import { readArguments, unknownName } from "../../../arguments/read.ts";
import { id, words } from "../../../arguments/strings.ts";
import { TunnelError } from "../../../errors/tunnel-error.ts";
import { parseJson } from "../../../protocol/base/json.ts";
import { ROOM } from "../../../protocol/base/limits.ts";

const ref = z.union([z.string(), z.number()]).optional();
const to = z.array(z.string()).min(1).max(ROOM.maxMembers).optional();

/**
 * The commands that a program may write to stdin, one a line, each by its first field. docs/CLI.md explains them, and a test reads
 * its examples with these schemas.
 */
const COMMANDS = {
  say: z.strictObject({
    say: z.string(),
    to,
    intent: z.enum(INTENTS).optional(),
    replyTo: z.int().min(1).optional(),
    ref,
  }),
  invite: z.strictObject({
    invite: z
      .int()
      .min(1)
      .max(ROOM.maxMembers - 1),
    ref,
  }),
  revoke: z.strictObject({ revoke: id(), ref }),
  remove: z.strictObject({ remove: words("input-invalid"), ref }),
  status: z.strictObject({ status: z.literal(true), ref }),
  share: z.strictObject({
    share: z.strictObject({
      path: z.string().min(1).optional(),
      paths: z.array(z.string().min(1)).min(1).optional(),
      note: z.string().optional(),
      to,
    }),
    ref,
  }),
  receive: z.strictObject({
    receive: z.strictObject({
      fileId: id().min(1),
      savePath: z.string().min(1),
      only: z.array(z.string()).min(1).optional(),
      overwrite: z.boolean().optional(),
    }),
    ref,
  }),
  offer: z.strictObject({
    offer: z.strictObject({
      target: z.union([z.string().min(1), z.int().min(1).max(65_535)]),
      kind: z.enum(SERVICE_KINDS),
      name: z.string().optional(),
      readOnly: z.boolean().optional(),
      tools: z.array(z.string()).min(1).optional(),
      note: z.string().optional(),
      to,
      expiresInMinutes: z.int().min(1).optional(),
      maxConnections: z.int().min(1).optional(),
      confirmEach: z.boolean().optional(),
    }),
    ref,
  }),
  connect: z.strictObject({
    connect: z.strictObject({
      serviceId: id().min(1),
      port: z.int().min(1).max(65_535).optional(),
    }),
    ref,
  }),
  stop: z.strictObject({ stop: id().min(1), ref }),
  services: z.strictObject({ services: z.literal(true), ref }),
  close: z.strictObject({ close: z.literal(true) }),
} as const;

type Name = keyof typeof COMMANDS;

export type JsonCommand = z.infer<(typeof COMMANDS)[Name]>;

const NAMES = Object.keys(COMMANDS).filter(isName);

function isName(name: string): name is Name {
  return Object.hasOwn(COMMANDS, name);
}

/** @throws {TunnelError} input-invalid, which tells the fault and quotes nothing of the line but a wrong name */
export function parseJsonCommand(line: string): JsonCommand {
  const value = parseJson(line);
  if (value === undefined) throw invalid("the line is not JSON");
  const fields = fieldsOf(value);
  if (fields === undefined) throw invalid(ONE_OF);
  const name = commandIn(fields);
  // A program that writes every field it knows has written `null` for the other commands.
  const others = NAMES.filter((other) => other !== name && fields[other] === null);
  const own = Object.entries(fields).filter(([field]) => !others.some((other) => other === field));
  return readArguments(COMMANDS[name], Object.fromEntries(own));
}

const ONE_OF = `the line must be an object with one of ${NAMES.join(", ")}`;

function invalid(detail: string): TunnelError {
  return new TunnelError("input-invalid", { detail });
}

/** @throws {TunnelError} input-invalid */
function commandIn(fields: Fields): Name {
  const [name, ...more] = NAMES.filter((one) => Object.hasOwn(fields, one) && fields[one] !== null);
  if (more.length > 0) throw invalid(`${[name, ...more].join(" and ")}: one command a line`);
  if (name !== undefined) return name;
  const [unknown] = Object.keys(fields).filter((field) => field !== "ref");
  throw invalid(unknown === undefined ? ONE_OF : `${ONE_OF}. ${unknownName(unknown, NAMES)}`);
}
