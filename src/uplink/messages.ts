import * as z from "zod/mini";
import { UPLINK } from "./limits.ts";

/** A claim is for a room, a name in front of the domain, or a TCP port. */
export const KINDS = ["room", "http", "tcp"] as const;
export type ClaimKind = (typeof KINDS)[number];

/** Base64url of so many bytes, without padding, in its one spelling of the right length. */
const bytes = (count: number): z.ZodMiniString =>
  z.string().check(z.regex(new RegExp(`^[A-Za-z0-9_-]{${Math.ceil((count * 8) / 6)}}$`)));

const name = z.string().check(z.minLength(1), z.maxLength(128));
const count = z.int().check(z.nonnegative());

/** The first message, from the relay. */
const hello = z.object({
  type: z.literal("hello"),
  versions: z.array(count).check(z.maxLength(16)),
  nonce: bytes(UPLINK.nonceBytes),
});

/** The host's claim, signed over the nonce of this connection. */
const register = z.object({
  type: z.literal("register"),
  version: count,
  kind: z.enum(KINDS),
  /** A room has one; a service may leave it to the relay. */
  name: z.optional(name),
  key: bytes(UPLINK.keyBytes),
  signature: bytes(UPLINK.signatureBytes),
  token: z.optional(z.string().check(z.maxLength(UPLINK.maxTokenChars))),
  /** Nothing is to be claimed: the host asks whether it could be. */
  isTrial: z.optional(z.boolean()),
});

/** In place of a registration, to a trial. */
const admitted = z.object({ type: z.literal("admitted"), kinds: z.array(z.enum(KINDS)) });

/** The claim is the host's from now on. */
const registered = z.object({
  type: z.literal("registered"),
  name,
  /** Of a service: the host name under which it is reached. */
  host: z.optional(z.string().check(z.maxLength(253))),
  /** Of TCP. */
  port: z.optional(count.check(z.maximum(65_535))),
  epoch: count,
  /** The name that was asked for is not the one that was given, since this relay keeps none. */
  isSubstitute: z.optional(z.boolean()),
});

/** The host can take visitors: nothing binary is sent before it. */
const ready = z.object({ type: z.literal("ready") });

/** A guest of a room waits to be fetched. */
const guest = z.object({ type: z.literal("guest"), ticket: name });

/** The host cannot fetch this guest: its own room does not answer, or the relay cannot be reached in this way. */
const unfetched = z.object({
  type: z.literal("unfetched"),
  ticket: name,
  isLocal: z.boolean(),
});

/** The relay ends; what is under way may end in peace. */
const goingAway = z.object({ type: z.literal("going-away"), afterMs: count });

const fromRelay = z.discriminatedUnion("type", [hello, admitted, registered, guest, goingAway]);
const fromHost = z.discriminatedUnion("type", [register, ready, unfetched]);

export type FromRelay = z.infer<typeof fromRelay>;
export type FromHost = z.infer<typeof fromHost>;
export type Register = z.infer<typeof register>;
export type Registered = z.infer<typeof registered>;

/** Undefined for what is no message of a relay. Fields that are unknown here are left out: a newer relay may add some. */
export const parseFromRelay = (text: string): FromRelay | undefined => parsed(fromRelay, text);
export const parseFromHost = (text: string): FromHost | undefined => parsed(fromHost, text);

function parsed<Message>(schema: z.ZodMiniType<Message>, text: string): Message | undefined {
  if (text.length > UPLINK.maxTextBytes) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
