import { INTENTS } from "./intent.ts";
import * as z from "zod/mini";
import type { Bytes } from "../base/bytes.ts";
import { oversightSchema } from "./oversight.ts";
import { workContextSchema } from "./work-context.ts";
import {
  boxKey,
  bytesOf,
  counter,
  decodeHeader,
  encodeHeader,
  memberId,
  ordinal,
  signingKey,
  violation,
  withoutBody,
} from "../base/header.ts";
import { LINK, ROOM } from "../base/limits.ts";
import { isOrigin } from "../handshake/invite-link.ts";
import { OBSERVER_ROLES } from "../handshake/role.ts";
import { isGoal, isName, isText } from "../base/text.ts";
import { decodeUtf8 } from "../base/utf8.ts";

/**
 * Frames of the room, between the two ends of a sealed channel (PROTOCOL §7): a JSON header, then raw
 * bytes. After this the type is the proof.
 */

/** Tag of a secretbox. */
const TAG_BYTES = 16;
const WRAP_BYTES = 32 + TAG_BYTES;

const hash = bytesOf(32);
const name = z.string().check(z.refine(isName));

/** The kind of a message that is not text for people and agents: the offer of a file. */
const CONTENTS = ["file"] as const;

/** A person's own words are marked so by their program; an agent's carry no mark (O3). */
const AUTHORS = ["human"] as const;

/** Milliseconds since the Unix epoch, as far as a date goes in ECMAScript. */
const instant = z.int().check(z.nonnegative(), z.lte(8.64e15));

/** The room's order as one member saw it: the last sequence number, and the chain there. */
const viewSchema = z.strictObject({ seq: counter, chain: hash });
/**
 * `key` verifies what a member signs (Ed25519), `box` is what others seal to (X25519). `hash` is that of its first handshake,
 * zeros for the host, and `proof` its signature over all three (H13).
 */
const member = z.strictObject({
  id: memberId,
  name,
  key: signingKey,
  box: boxKey,
  hash,
  proof: bytesOf(64),
  workContext: z.optional(workContextSchema),
  /** That of an observer (Q2); a member has none. */
  role: z.optional(z.enum(OBSERVER_ROLES)),
});

/**
 * How a message for some is sealed: an ephemeral X25519 key, what the content key hashes to, and that key wrapped for each
 * of `to`, in order.
 */
const seal = z.strictObject({
  key: boxKey,
  commitment: hash,
  wraps: z.array(bytesOf(WRAP_BYTES)).check(z.minLength(1), z.maxLength(ROOM.maxMembers)),
});

/** Those who are to read it, and nobody else. */
const recipients = z.array(memberId).check(z.minLength(1), z.maxLength(ROOM.maxMembers));

const signedFields = {
  /** The sender's own count of its messages, from 1. */
  n: ordinal,
  /** Hash of the sender's message before this one; zeros for its first. */
  prev: hash,
  view: viewSchema,
  what: z.optional(z.enum(CONTENTS)),
  intent: z.optional(z.enum(INTENTS)),
  author: z.optional(z.enum(AUTHORS)),
  replyTo: z.optional(ordinal),
  sig: bytesOf(64),
};

const chatFields = { ...signedFields, to: z.optional(recipients), seal: z.optional(seal) };

/** The hashes that a signature covers for a seal and a body that are not shown. */
const digests = z.strictObject({ seal: hash, body: hash });

function isUnique(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}

/** Recipients are named once each, and each has its wrap (O10). */
function isAddressed(message: {
  to?: readonly string[] | undefined;
  seal?: z.infer<typeof seal> | undefined;
}): boolean {
  const { to = [], seal: sealed } = message;
  return to.length === (sealed?.wraps.length ?? 0) && isUnique(to);
}

export const LEAVE_CAUSES = ["left", "lost", "removed", "fell-behind", "expired"] as const;
export const END_CAUSES = ["closed", "idle", "host-stopped"] as const;

const roomEvent = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("chat"), from: memberId, ...chatFields }).check(z.refine(isAddressed)),
  /** A message to others: everything of it but what it says, so that its sender's signature holds it in its place. */
  z
    .strictObject({ kind: z.literal("withheld"), from: memberId, ...signedFields, to: recipients, digests })
    .check(z.refine(({ to }) => isUnique(to))),
  z.strictObject({ kind: z.literal("joined"), member }),
  z.strictObject({ kind: z.literal("left"), id: memberId, cause: z.enum(LEAVE_CAUSES) }),
  z.strictObject({ kind: z.literal("idle-warning"), endsInMs: counter.check(z.lte(ROOM.idleWarningMs)) }),
  z.strictObject({ kind: z.literal("ended"), cause: z.enum(END_CAUSES) }),
  /** The host has come back with another process (O12). */
  z.strictObject({ kind: z.literal("returned") }),
]);

/** Host to member. `own` places the member's own message; everything else arrives as an event. */
const hostFrame = z.discriminatedUnion("t", [
  z.strictObject({ t: z.literal("event"), seq: ordinal, ts: instant, event: roomEvent }),
  z.strictObject({ t: z.literal("own"), seq: ordinal, ts: instant, n: ordinal }),
]);

/** Member to host. */
const memberFrame = z.discriminatedUnion("t", [
  z.strictObject({ t: z.literal("say"), ...chatFields }).check(z.refine(isAddressed)),
  z.strictObject({ t: z.literal("leave") }),
]);

/** Members and observers. */
const members = <Item extends z.core.$ZodType>(item: Item) =>
  z.array(item).check(z.maxLength(ROOM.maxMembers + ROOM.maxObservers));

/** Origins at which the host can be reached at present, best first. */
const addresses = z.array(z.string().check(z.refine(isOrigin))).check(z.maxLength(LINK.maxAddresses));

/**
 * Volatile, host to member: who is there, how long ago each was heard, how far each has read; and where the host is to
 * be found, if that has changed.
 */
const hostNote = z.strictObject({
  members: members(
    z.strictObject({
      id: memberId,
      connected: z.boolean(),
      heardAgoMs: counter,
      read: counter,
      /** As that member told it last; nothing until it has. */
      oversight: z.optional(oversightSchema),
    }),
  ),
  addresses: z.optional(addresses),
});

/** Volatile, member to host: how far this member's agent has read; being sent at all is activity. */
const memberNote = z.strictObject({
  read: counter,
  active: z.boolean(),
  oversight: z.optional(oversightSchema),
});

const confirm = z.strictObject({
  share: bytesOf(32),
  name,
  key: signingKey,
  box: boxKey,
  /** The signature by `key` over this handshake and both keys (H13). */
  proof: bytesOf(64),
  /** At its first connection, where its human has not switched that off. */
  workContext: z.optional(workContextSchema),
  /** Last durable frame this member has received; 0 at its first connection. */
  received: counter,
});

const welcome = z.strictObject({
  goal: z.string().check(z.refine(isGoal)),
  self: memberId,
  /** As the host calls this member: a name that was taken gets a suffix. */
  name,
  host: memberId,
  members: members(member),
  /** Last durable frame the host has received from this member. */
  received: counter,
  /** Where this member's part of the room's order begins; at a first connection, just before its own arrival. */
  view: viewSchema,
  idleMs: ordinal.check(z.lte(ROOM.maxIdleMs)),
  /** Whether those who come later are given what was said before. */
  history: z.boolean(),
  addresses,
  /** For so long after its process has ended the host may come back to this room; 0 where it never does (U4). */
  keptForSec: counter.check(z.lte(ROOM.maxKeptForSec)),
});

/** For documents about a room: what is signed in it, and what happens, has one schema. */
export const SCHEMAS = {
  counter,
  digests,
  hash,
  instant,
  member,
  memberId,
  recipients,
  roomEvent,
  signedFields,
};

export type Seal = z.infer<typeof seal>;
export type Digests = z.infer<typeof digests>;
export type View = z.infer<typeof viewSchema>;
export type MemberRecord = z.infer<typeof member>;
export type RoomEvent = z.infer<typeof roomEvent>;
export type ChatEvent = Extract<RoomEvent, { kind: "chat" }>;
export type WithheldEvent = Extract<RoomEvent, { kind: "withheld" }>;
/** A change of the room itself, told in structured fields. */
export type SystemRoomEvent = Exclude<RoomEvent, ChatEvent | WithheldEvent>;
export type HostFrame = z.infer<typeof hostFrame>;
export type MemberFrame = z.infer<typeof memberFrame>;
export type SayFrame = Extract<MemberFrame, { t: "say" }>;
export type HostNote = z.infer<typeof hostNote>;
export type MemberNote = z.infer<typeof memberNote>;
export type Confirm = z.infer<typeof confirm>;
export type Welcome = z.infer<typeof welcome>;
export type LeaveCause = (typeof LEAVE_CAUSES)[number];
export type EndCause = (typeof END_CAUSES)[number];

const EMPTY = new Uint8Array(0);

/** A text that everybody may read must be one (T2); of a sealed one only the size can be checked. */
function textOf(message: Pick<ChatEvent, "seal">, body: Bytes): string | undefined {
  const isSealed = message.seal !== undefined;
  if (body.length > ROOM.maxTextBytes + (isSealed ? TAG_BYTES : 0)) throw violation();
  if (isSealed) return undefined;
  const text = decodeUtf8(body);
  if (text === undefined || !isText(text)) throw violation();
  return text;
}

/** A frame with what came along: the body as it was signed, and its text unless that is sealed. */
export interface Decoded<Frame> {
  readonly frame: Frame;
  readonly body: Bytes;
  readonly text: string | undefined;
}

/* Encoding and total decoding of every frame of the room; decoders throw protocol-violation. */

/** `body` is the text of a message, or what it is sealed to. */
export function encodeHostFrame(frame: HostFrame, body: Bytes = EMPTY): Bytes {
  return encodeHeader(frame, body);
}

export function decodeHostFrame(payload: Bytes): Decoded<HostFrame> {
  const decoded = decodeHeader(hostFrame, payload);
  const { header, body } = decoded;
  const chat = header.t === "event" && header.event.kind === "chat" ? header.event : undefined;
  if (chat === undefined) return { frame: withoutBody(decoded), body: EMPTY, text: undefined };
  return { frame: header, body, text: textOf(chat, body) };
}

export function encodeMemberFrame(frame: MemberFrame, body: Bytes = EMPTY): Bytes {
  return encodeHeader(frame, body);
}

export function decodeMemberFrame(payload: Bytes): Decoded<MemberFrame> {
  const decoded = decodeHeader(memberFrame, payload);
  const { header, body } = decoded;
  if (header.t !== "say") return { frame: withoutBody(decoded), body: EMPTY, text: undefined };
  return { frame: header, body, text: textOf(header, body) };
}

export function encodeHostNote(note: HostNote): Bytes {
  return encodeHeader(note);
}

export function decodeHostNote(payload: Bytes): HostNote {
  return withoutBody(decodeHeader(hostNote, payload));
}

export function encodeMemberNote(note: MemberNote): Bytes {
  return encodeHeader(note);
}

export function decodeMemberNote(payload: Bytes): MemberNote {
  return withoutBody(decodeHeader(memberNote, payload));
}

export function encodeConfirm(value: Confirm): Bytes {
  return encodeHeader(value);
}

export function decodeConfirm(payload: Bytes): Confirm {
  return withoutBody(decodeHeader(confirm, payload));
}

export function encodeWelcome(value: Welcome): Bytes {
  return encodeHeader(value);
}

export function decodeWelcome(payload: Bytes): Welcome {
  return withoutBody(decodeHeader(welcome, payload));
}
