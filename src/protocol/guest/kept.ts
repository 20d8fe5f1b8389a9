import * as z from "zod/mini";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Bytes } from "../base/bytes.ts";
import { bytesOf, counter, roomId } from "../base/header.ts";
import type { RoomId } from "../base/ids.ts";
import { INVITE_ID_BYTES } from "../base/ids.ts";
import { CHANGES_IN_STEP, decodeChange, encodeChange, type Steps } from "../keeping/keeper.ts";
import { decodeStanding, encodeStanding, standing } from "../keeping/standing.ts";
import { isName } from "../base/text.ts";
import { CLAIM_BYTES } from "../handshake/handshake.ts";
import { isOrigin, type InviteLink } from "../handshake/invite-link.ts";
import { OBSERVER_ROLES } from "../handshake/role.ts";
import { decodeWelcome, encodeWelcome, type Welcome } from "../room/frames.ts";
import type { LastMessage, OrderStanding } from "../room/order.ts";
import type { SpokenStanding } from "../room/participant.ts";
import type { SignerSecrets } from "../room/signer.ts";
import { workContextSchema, type WorkContext } from "../room/work-context.ts";
import type { Candidate, Pairing } from "./candidates.ts";
import type { KeptWays } from "./connector.ts";
import type { KnownAddresses } from "./known-addresses.ts";

/** The changes of a guest's stay, as they are kept. The first is `begun`; the state is what comes of all of them in their order. */

const secret = bytesOf(32);
const origin = z.string().check(z.refine(isOrigin));
const pairing = z.strictObject({ safetyCode: z.string().check(z.maxLength(256)), hash: bytesOf(32) });
const candidate = z.strictObject({
  kind: z.enum(["invite", "resume"]),
  credential: z.strictObject({ id: bytesOf(INVITE_ID_BYTES), psk: secret, mac: secret }),
  pairing: z.optional(pairing),
});

const guestChange = z.discriminatedUnion("t", [
  /** With the first WELCOME. */
  z.strictObject({
    t: z.literal("begun"),
    origin,
    room: roomId,
    hostKey: bytesOf(32),
    claim: bytesOf(CLAIM_BYTES),
    role: z.optional(z.enum(OBSERVER_ROLES)),
    name: z.string().check(z.refine(isName)),
    workContext: z.optional(workContextSchema),
    secrets: z.strictObject({ signing: secret, box: secret }),
    pairing,
  }),
  z.strictObject({ t: z.literal("secrets"), candidates: z.array(candidate).check(z.maxLength(16)) }),
  z.strictObject({ t: z.literal("addresses"), worked: origin, announced: z.array(origin) }),
  /** With a durable frame of the host, and how many of its own the host had confirmed by then. */
  z.strictObject({ t: z.literal("heard"), confirmed: counter }),
  /** With an own frame and, where that is sealed, its text. */
  z.strictObject({ t: z.literal("said") }),
  /** What happened until a place, told by what came of it. */
  z.strictObject({
    t: z.literal("moved"),
    standing,
    /** Frames: those that had gone and had a place, and those that had come. */
    sent: counter,
    received: counter,
    /** The last own message that had a place. */
    said: z.optional(z.strictObject({ n: counter, hash: bytesOf(32) })),
  }),
  /** Another process has taken the stay up, to which so many frames were known as sent; and the host has let it in. */
  z.strictObject({ t: z.literal("returned"), sent: counter }),
  z.strictObject({ t: z.literal("arrived") }),
]);

/** Everything with which a stay began. */
export interface Begun {
  readonly link: Omit<InviteLink, "key">;
  readonly claim: Bytes;
  readonly name: string;
  readonly workContext: WorkContext | undefined;
  readonly secrets: SignerSecrets;
  readonly pairing: Pairing;
  readonly welcome: Welcome;
}

/** The state of a stay at a place, where its frames do not begin with its arrival. */
interface GuestMoved {
  readonly order: OrderStanding;
  readonly spoken: SpokenStanding;
  readonly sent: number;
  readonly received: number;
  readonly said: LastMessage | undefined;
}

/** What came and went since, in order. */
type Replayed =
  | ({ readonly kind: "moved" } & GuestMoved)
  | { readonly kind: "heard"; readonly payload: Bytes; readonly confirmed: number }
  /** `text` where the frame shows it only sealed. */
  | { readonly kind: "said"; readonly payload: Bytes; readonly text: Bytes | undefined };

/** The stay of an earlier process. */
export interface KeptGuest extends Begun {
  readonly ways: KeptWays;
  readonly frames: readonly Replayed[];
  /** Its processes have not reached the host since the first of them came back, which knew of so many sent frames. */
  readonly resumesUpTo: number | undefined;
}

export const GUEST_CHANGE = {
  begun: ({ link, claim, name, workContext, secrets, pairing: paired, welcome }: Begun): Bytes =>
    encodeChange(
      {
        t: "begun",
        origin: link.origin,
        room: link.room,
        hostKey: link.hostKey,
        role: link.role,
        claim,
        name,
        workContext,
        secrets,
        pairing: { safetyCode: paired.safetyCode, hash: paired.hash },
      },
      encodeWelcome(welcome),
    ),
  secrets: (candidates: readonly Candidate[]): Bytes => encodeChange({ t: "secrets", candidates }),
  addresses: ({ worked, announced }: KnownAddresses): Bytes =>
    encodeChange({ t: "addresses", worked, announced }),
  heard: (payload: Bytes, confirmed: number): Bytes => encodeChange({ t: "heard", confirmed }, payload),
  said: (payload: Bytes, text: Bytes | undefined): Bytes =>
    encodeChange({ t: "said" }, payload, ...(text === undefined ? [] : [text])),
  moved: ({ order, spoken, ...rest }: GuestMoved): Bytes =>
    encodeChange({ t: "moved", standing: encodeStanding(order, spoken), ...rest }),
  returned: (sent: number): Bytes => encodeChange({ t: "returned", sent }),
  arrived: (): Bytes => encodeChange({ t: "arrived" }),
} as const;

/** @throws {TunnelError} stay-unreadable */
export function kindOfChange(change: Bytes): GuestChange["t"] {
  return decodeChange(guestChange, change).header.t;
}

/** The frame beside a change. @throws {TunnelError} stay-unreadable */
export function frameIn(change: Bytes): Bytes {
  return decodeChange(guestChange, change).bodies[0] ?? NOTHING;
}

type GuestChange = z.infer<typeof guestChange>;

function begunOf(header: Extract<GuestChange, { t: "begun" }>, payload: Bytes): Begun {
  const { origin: at, room, hostKey, role, claim, name, workContext, secrets, pairing: paired } = header;
  const link = { origin: at, room, hostKey, role };
  return { link, claim, name, workContext, secrets, pairing: paired, welcome: welcomeIn(payload) };
}

/** @throws {TunnelError} stay-unreadable */
function replayedOf(
  header: Extract<GuestChange, { t: "moved" | "heard" | "said" }>,
  [payload = NOTHING, text]: readonly Bytes[],
  room: RoomId | undefined,
): Replayed {
  if (header.t === "said") return { kind: "said", payload, text };
  if (header.t === "heard") return { kind: "heard", payload, confirmed: header.confirmed };
  if (room === undefined) throw new TunnelError("stay-unreadable");
  const { standing: at, sent, received, said } = header;
  return { kind: "moved", sent, received, said, ...decodeStanding(at, room) };
}

/** @throws {TunnelError} stay-unreadable */
export function* keptGuest(changes: readonly Bytes[]): Steps<KeptGuest> {
  let begun: Begun | undefined;
  let candidates: readonly Candidate[] = [];
  let addresses: KnownAddresses | undefined;
  const frames: Replayed[] = [];
  let resumesUpTo: number | undefined;
  for (const [index, change] of changes.entries()) {
    if (index % CHANGES_IN_STEP === 0) yield;
    const { header, bodies } = decodeChange(guestChange, change);
    const [payload = NOTHING] = bodies;
    switch (header.t) {
      case "begun":
        begun = begunOf(header, payload);
        break;
      case "secrets":
        candidates = header.candidates.map(({ pairing: paired, ...one }) =>
          paired === undefined ? one : { ...one, pairing: paired },
        );
        break;
      case "addresses":
        addresses = header;
        break;
      case "returned":
        resumesUpTo ??= header.sent;
        break;
      case "arrived":
        resumesUpTo = undefined;
        break;
      default:
        frames.push(replayedOf(header, bodies, begun?.link.room));
    }
  }
  if (begun === undefined || candidates.length === 0) throw new TunnelError("stay-unreadable");
  const { claim, link } = begun;
  const known = addresses ?? { worked: link.origin, announced: [] };
  // A return tells it anew.
  const keptForMs = begun.welcome.keptForSec * 1_000;
  const ways = { claim, candidates, addresses: known, keptForMs };
  return { ...begun, ways, frames, resumesUpTo };
}

const NOTHING = new Uint8Array(0);

function welcomeIn(payload: Bytes): Welcome {
  try {
    return decodeWelcome(payload);
  } catch (error) {
    if (error instanceof TunnelError) throw new TunnelError("stay-unreadable", { cause: error });
    throw error;
  }
}
