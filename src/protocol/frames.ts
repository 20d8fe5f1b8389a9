import * as z from "zod";
import { concat, fromBase64url, toBase64url, view, type Bytes } from "./bytes.ts";
import { TunnelError } from "./errors.ts";
import { parseMemberId, type MemberId } from "./ids.ts";
import { ROOM } from "./limits.ts";
import type { Primitives } from "./primitives.ts";
import { isGoal, isName, isText } from "./text.ts";

/**
 * What the two ends of a sealed channel say to each other on the room stream (PROTOCOL §7): a JSON header, then raw
 * bytes. The only place where JSON of a peer is parsed; after it, the type is the proof.
 */

const HEADER_LENGTH_BYTES = 2;
const MAX_HEADER_BYTES = 0xffff;

const bytesOf = (length: number) =>
  z.string().transform((text, context): Bytes => {
    const bytes = fromBase64url(text, length);
    if (bytes !== undefined) return bytes;
    context.addIssue("not base64url of the right length");
    return z.NEVER;
  });
const memberId = z.string().transform((text, context): MemberId => {
  const id = parseMemberId(text);
  if (id !== undefined) return id;
  context.addIssue("not a member id");
  return z.NEVER;
});
const hash = bytesOf(32);
const counter = z.int().nonnegative();
const name = z.string().refine(isName);

export const INTENTS = ["request", "inform", "ack"] as const;
const intent = z.enum(INTENTS).optional();

/** A place in the room's order, as one member saw it. */
const viewSchema = z.strictObject({ seq: counter, chain: hash });
const member = z.strictObject({ id: memberId, name, key: bytesOf(32) });

const chatFields = {
  /** The sender's own count of its messages, from 1. */
  n: counter.min(1),
  /** Hash of the sender's message before this one; zeros for its first. */
  prev: hash,
  view: viewSchema,
  intent,
  replyTo: counter.min(1).optional(),
  to: z.array(memberId).min(1).max(ROOM.maxMembers).optional(),
  sig: bytesOf(64),
};

export const LEAVE_CAUSES = ["left", "lost", "removed", "fell-behind"] as const;
export const END_CAUSES = ["closed", "idle", "host-stopped"] as const;

const roomEvent = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("chat"), from: memberId, ...chatFields }),
  z.strictObject({ kind: z.literal("joined"), member }),
  z.strictObject({ kind: z.literal("left"), id: memberId, cause: z.enum(LEAVE_CAUSES) }),
  z.strictObject({ kind: z.literal("idle-warning"), endsInMs: counter }),
  z.strictObject({ kind: z.literal("ended"), cause: z.enum(END_CAUSES) }),
]);

/** Host to member. `own` places the member's own message; everything else arrives as an event. */
const hostFrame = z.discriminatedUnion("t", [
  z.strictObject({ t: z.literal("event"), seq: counter.min(1), ts: counter, event: roomEvent }),
  z.strictObject({ t: z.literal("own"), seq: counter.min(1), ts: counter, n: counter.min(1) }),
]);

/** Member to host. */
const memberFrame = z.discriminatedUnion("t", [
  z.strictObject({ t: z.literal("say"), ...chatFields }),
  z.strictObject({ t: z.literal("leave") }),
]);

/** Volatile, host to member: who is there, how long ago each was heard, how far each has read. */
const hostNote = z.strictObject({
  members: z
    .array(z.strictObject({ id: memberId, connected: z.boolean(), heardAgoMs: counter, read: counter }))
    .max(ROOM.maxMembers),
});

/** Volatile, member to host: how far this member's agent has read; being sent at all is activity. */
const memberNote = z.strictObject({ read: counter, active: z.boolean() });

const confirm = z.strictObject({
  share: bytesOf(32),
  name,
  key: bytesOf(32),
  /** Last durable frame this member has received; 0 at its first connection. */
  received: counter,
});

const welcome = z.strictObject({
  goal: z.string().refine(isGoal),
  self: memberId,
  /** As the host calls this member: a name that was taken gets a suffix. */
  name,
  host: memberId,
  members: z.array(member).max(ROOM.maxMembers),
  /** Last durable frame the host has received from this member. */
  received: counter,
  /** Where this member's part of the room's order begins; at a first connection, just before its own arrival. */
  view: viewSchema,
  idleMs: counter,
});

export type View = z.infer<typeof viewSchema>;
export type MemberRecord = z.infer<typeof member>;
export type RoomEvent = z.infer<typeof roomEvent>;
export type ChatEvent = Extract<RoomEvent, { kind: "chat" }>;
export type HostFrame = z.infer<typeof hostFrame>;
export type MemberFrame = z.infer<typeof memberFrame>;
export type SayFrame = Extract<MemberFrame, { t: "say" }>;
export type HostNote = z.infer<typeof hostNote>;
export type MemberNote = z.infer<typeof memberNote>;
export type Confirm = z.infer<typeof confirm>;
export type Welcome = z.infer<typeof welcome>;
export type Intent = (typeof INTENTS)[number];
export type LeaveCause = (typeof LEAVE_CAUSES)[number];
export type EndCause = (typeof END_CAUSES)[number];

const EMPTY = new Uint8Array(0);

function encode(primitives: Primitives, header: unknown, body: Bytes = EMPTY): Bytes {
  const json = primitives.encodeUtf8(
    JSON.stringify(header, (_key, value: unknown) =>
      value instanceof Uint8Array ? toBase64url(value) : value,
    ),
  );
  if (json.length > MAX_HEADER_BYTES) throw new RangeError("frame header is over its limit");
  return concat(Uint8Array.of(json.length >> 8, json.length & 0xff), json, body);
}

function violation(): TunnelError {
  return new TunnelError("protocol-violation", { detail: "a malformed frame" });
}

function decode<Schema extends z.ZodType>(
  primitives: Primitives,
  schema: Schema,
  payload: Bytes,
): { header: z.infer<Schema>; body: Bytes } {
  const length = payload.length >= HEADER_LENGTH_BYTES ? view(payload).getUint16(0) : payload.length;
  const end = HEADER_LENGTH_BYTES + length;
  const json =
    end <= payload.length ? primitives.decodeUtf8(payload.subarray(HEADER_LENGTH_BYTES, end)) : undefined;
  const parsed = json === undefined ? undefined : schema.safeParse(parseJson(json));
  if (parsed?.success !== true) throw violation();
  return { header: parsed.data, body: payload.subarray(end) };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Frames without a body must not carry one: nothing may ride along unread (F3). */
function withoutBody<Header>(decoded: { header: Header; body: Bytes }): Header {
  if (decoded.body.length > 0) throw violation();
  return decoded.header;
}

function textOf(primitives: Primitives, body: Bytes): string {
  const text = body.length <= ROOM.maxTextBytes ? primitives.decodeUtf8(body) : undefined;
  if (text === undefined || !isText(text)) throw violation();
  return text;
}

/** Encoding and total decoding of everything on the room stream; decoders throw protocol-violation. */
export class FrameCodec {
  readonly #primitives: Primitives;

  constructor(primitives: Primitives) {
    this.#primitives = primitives;
  }

  encodeHostFrame(frame: HostFrame, text = ""): Bytes {
    return encode(this.#primitives, frame, this.#primitives.encodeUtf8(text));
  }

  decodeHostFrame(payload: Bytes): { frame: HostFrame; text: string } {
    const decoded = decode(this.#primitives, hostFrame, payload);
    const { header } = decoded;
    const isChat = header.t === "event" && header.event.kind === "chat";
    return {
      frame: isChat ? header : withoutBody(decoded),
      text: isChat ? textOf(this.#primitives, decoded.body) : "",
    };
  }

  encodeMemberFrame(frame: MemberFrame, text = ""): Bytes {
    return encode(this.#primitives, frame, this.#primitives.encodeUtf8(text));
  }

  decodeMemberFrame(payload: Bytes): { frame: MemberFrame; text: string } {
    const decoded = decode(this.#primitives, memberFrame, payload);
    const isSay = decoded.header.t === "say";
    return {
      frame: isSay ? decoded.header : withoutBody(decoded),
      text: isSay ? textOf(this.#primitives, decoded.body) : "",
    };
  }

  encodeHostNote(note: HostNote): Bytes {
    return encode(this.#primitives, note);
  }

  decodeHostNote(payload: Bytes): HostNote {
    return withoutBody(decode(this.#primitives, hostNote, payload));
  }

  encodeMemberNote(note: MemberNote): Bytes {
    return encode(this.#primitives, note);
  }

  decodeMemberNote(payload: Bytes): MemberNote {
    return withoutBody(decode(this.#primitives, memberNote, payload));
  }

  encodeConfirm(value: Confirm): Bytes {
    return encode(this.#primitives, value);
  }

  decodeConfirm(payload: Bytes): Confirm {
    return withoutBody(decode(this.#primitives, confirm, payload));
  }

  encodeWelcome(value: Welcome): Bytes {
    return encode(this.#primitives, value);
  }

  decodeWelcome(payload: Bytes): Welcome {
    return withoutBody(decode(this.#primitives, welcome, payload));
  }
}
