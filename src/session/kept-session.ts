import * as z from "zod/mini";
import { must } from "../errors/must.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import { bytesOf, counter, memberId, ordinal } from "../protocol/base/header.ts";
import { INVITE_ID_BYTES, inviteIdFrom, type InviteId, type MemberId } from "../protocol/base/ids.ts";
import { decodeChange, encodeChange } from "../protocol/keeping/keeper.ts";
import { fromBase64url, type Bytes } from "../protocol/base/bytes.ts";
import { decodeUtf8, encodeUtf8 } from "../protocol/base/utf8.ts";
import { INTENTS } from "../protocol/room/intent.ts";
import type { Receiving } from "./files/files.ts";
import type { KeptStay } from "./stays/stays.ts";

/** The changes of what a session knows beside its machine. The first is `begun`. */

const outgoing = z.strictObject({
  intent: z.optional(z.enum(INTENTS)),
  author: z.optional(z.literal("human")),
  replyTo: z.optional(ordinal),
  to: z.optional(z.array(memberId)),
});

const sessionChange = z.discriminatedUnion("t", [
  z.strictObject({
    t: z.literal("begun"),
    role: z.enum(["host", "member"]),
    /** The project folder in which it was begun. */
    folder: z.string(),
    transport: z.optional(z.string()),
    openedAt: counter,
  }),
  /** The port at which members reach the room. */
  z.strictObject({ t: z.literal("listens"), port: ordinal }),
  /** The agent has read so far; and was given so much, in answers of which it is not known whether it has them. */
  z.strictObject({ t: z.literal("read"), seq: counter }),
  z.strictObject({ t: z.literal("returned"), seq: counter }),
  /** How a person bounds the agent now. */
  z.strictObject({
    t: z.literal("modes"),
    isPaused: z.boolean(),
    gates: z.array(z.string().check(z.maxLength(32))),
  }),
  /** A person has kept this entry from the agent. */
  z.strictObject({ t: z.literal("withheld"), seq: ordinal }),
  /** The address in the link of an invite. */
  z.strictObject({
    t: z.literal("invite"),
    id: bytesOf(INVITE_ID_BYTES),
    address: z.string(),
    isForMember: z.boolean(),
  }),
  /** A message that waits for a person, with its text; and its end. */
  z.strictObject({ t: z.literal("held"), no: ordinal, message: outgoing }),
  z.strictObject({ t: z.literal("released"), no: ordinal }),
  /** A file or a tree that was offered, by its paths; its offer, with hash and key, is the text. */
  z.strictObject({
    t: z.literal("offer"),
    kind: z.enum(["file", "tree"]),
    paths: z.array(z.string()),
    to: z.optional(z.array(memberId)),
  }),
  /** A file on its way to this disk, and its end. */
  z.strictObject({
    t: z.literal("receiving"),
    no: ordinal,
    fileId: z.string(),
    target: z.string(),
    overwrite: z.boolean(),
    only: z.optional(z.array(z.string())),
    part: z.string(),
  }),
  z.strictObject({ t: z.literal("received"), no: ordinal }),
]);
type SessionChange = z.infer<typeof sessionChange>;

/** A message as it was to be said, without the kinds that need more than words. */
export type KeptWords = z.infer<typeof outgoing> & { readonly text: string };

export interface KeptOffer {
  readonly kind: "file" | "tree";
  readonly paths: readonly string[];
  /** The encoded offer. */
  readonly offer: string;
  readonly to: readonly MemberId[] | undefined;
}

/** What an earlier process knew of a session. */
export interface KeptSession {
  readonly role: "host" | "member";
  readonly folder: string;
  readonly transport: string | undefined;
  readonly openedAt: number;
  readonly port: number | undefined;
  readonly read: number;
  readonly returned: number;
  readonly modes: { readonly isPaused: boolean; readonly gates: readonly string[] } | undefined;
  readonly withheld: ReadonlySet<number>;
  readonly invites: readonly {
    readonly id: InviteId;
    readonly address: string;
    readonly isForMember: boolean;
  }[];
  /** Messages that waited for a person, by their numbers. */
  readonly held: ReadonlyMap<number, KeptWords>;
  readonly lastHeld: number;
  readonly offers: readonly KeptOffer[];
  /** Files on their way here, by their numbers. */
  readonly receiving: ReadonlyMap<number, Receiving>;
  readonly lastReceiving: number;
}

/** Keeps the changes of one session; nothing where its tunnel is not kept. */
export class SessionKeeping {
  readonly #stay: KeptStay | undefined;
  #read: number;
  #returned: number;
  #held: number;
  #receiving: number;

  constructor(stay: KeptStay | undefined, kept?: KeptSession) {
    this.#stay = stay;
    this.#read = kept?.read ?? 0;
    this.#returned = kept?.returned ?? 0;
    this.#held = kept?.lastHeld ?? 0;
    this.#receiving = kept?.lastReceiving ?? 0;
  }

  /** Whether a later process could come back. */
  get isKept(): boolean {
    return this.#stay?.isKept === true;
  }

  begun(begun: Omit<Extract<SessionChange, { t: "begun" }>, "t">): void {
    this.#keep({ t: "begun", ...begun });
  }

  listens(port: number): void {
    this.#keep({ t: "listens", port });
  }

  read(seq: number): void {
    if (seq === this.#read) return;
    this.#read = seq;
    this.#keep({ t: "read", seq });
  }

  returned(seq: number): void {
    if (seq <= this.#returned) return;
    this.#returned = seq;
    this.#keep({ t: "returned", seq });
  }

  modes(isPaused: boolean, gates: readonly string[]): void {
    this.#keep({ t: "modes", isPaused, gates: [...gates] });
  }

  withheld(seq: number): void {
    this.#keep({ t: "withheld", seq });
  }

  invite(invite: InviteId, address: string, isForMember: boolean): void {
    const id = must(fromBase64url(invite, INVITE_ID_BYTES), "the bytes of an invite's id");
    this.#keep({ t: "invite", id, address, isForMember });
  }

  /** @returns what {@link released} takes */
  held({ text, ...message }: KeptWords): number {
    this.#held += 1;
    this.#keep({ t: "held", no: this.#held, message }, encodeUtf8(text));
    return this.#held;
  }

  released(no: number): void {
    this.#keep({ t: "released", no });
  }

  offer({ kind, paths, offer, to }: KeptOffer): void {
    const receivers = to === undefined ? {} : { to: [...to] };
    this.#keep({ t: "offer", kind, paths: [...paths], ...receivers }, encodeUtf8(offer));
  }

  /** @returns what {@link received} takes */
  receiving({ only, ...transfer }: Receiving): number {
    this.#receiving += 1;
    const chosen = only === undefined ? {} : { only: [...only] };
    this.#keep({ t: "receiving", no: this.#receiving, ...transfer, ...chosen });
    return this.#receiving;
  }

  received(no: number): void {
    this.#keep({ t: "received", no });
  }

  /** The process ends, and a later one may come back. */
  leave(): void {
    this.#stay?.leave();
  }

  /** The stay is over. */
  async remove(): Promise<void> {
    await this.#stay?.remove();
  }

  #keep(change: SessionChange, ...bodies: readonly Bytes[]): void {
    if (this.#stay === undefined) return;
    this.#stay.keepBeside(encodeChange(change, ...bodies));
    this.#stay.write();
  }
}

/** The fewest changes that lead to this again. */
export function fewestChanges(kept: KeptSession): Bytes[] {
  const { role, folder, transport, openedAt, port, read, returned, modes } = kept;
  const change = (header: SessionChange, ...bodies: readonly Bytes[]): Bytes =>
    encodeChange(header, ...bodies);
  const held = Array.from(kept.held, ([no, { text, ...message }]) =>
    change({ t: "held", no, message }, encodeUtf8(text)),
  );
  const receiving = Array.from(kept.receiving, ([no, { only, ...transfer }]) =>
    change({ t: "receiving", no, ...transfer, ...(only && { only: [...only] }) }),
  );
  const offers = kept.offers.map(({ kind, paths, offer, to }) =>
    change({ t: "offer", kind, paths: [...paths], ...(to && { to: [...to] }) }, encodeUtf8(offer)),
  );
  const invites = kept.invites.map(({ id: invite, address, isForMember }) => {
    const id = must(fromBase64url(invite, INVITE_ID_BYTES), "the bytes of an invite's id");
    return change({ t: "invite", id, address, isForMember });
  });
  return [
    change({ t: "begun", role, folder, ...(transport !== undefined && { transport }), openedAt }),
    ...(port === undefined ? [] : [change({ t: "listens", port })]),
    change({ t: "read", seq: read }),
    change({ t: "returned", seq: returned }),
    ...(modes === undefined
      ? []
      : [change({ t: "modes", isPaused: modes.isPaused, gates: [...modes.gates] })]),
    ...Array.from(kept.withheld, (seq) => change({ t: "withheld", seq })),
    ...invites,
    ...held,
    ...offers,
    ...receiving,
  ];
}

/** As it comes together, change by change. */
interface Draft {
  begun: Extract<SessionChange, { t: "begun" }> | undefined;
  port: number | undefined;
  read: number;
  returned: number;
  modes: KeptSession["modes"];
  readonly withheld: Set<number>;
  readonly invites: Map<InviteId, KeptSession["invites"][number]>;
  readonly held: Map<number, KeptWords>;
  lastHeld: number;
  readonly offers: KeptOffer[];
  readonly receiving: Map<number, Receiving>;
  lastReceiving: number;
}

/** @throws {TunnelError} stay-unreadable */
export function keptSession(changes: readonly Bytes[]): KeptSession {
  const draft: Draft = {
    begun: undefined,
    port: undefined,
    read: 0,
    returned: 0,
    modes: undefined,
    withheld: new Set(),
    invites: new Map(),
    held: new Map(),
    lastHeld: 0,
    offers: [],
    receiving: new Map(),
    lastReceiving: 0,
  };
  for (const change of changes) {
    const { header, bodies } = decodeChange(sessionChange, change);
    const [body] = bodies;
    const text = body === undefined ? "" : decodeUtf8(body);
    if (text === undefined) throw new TunnelError("stay-unreadable");
    placeAndPerson(draft, header);
    work(draft, header, text);
  }
  const { begun, invites, ...rest } = draft;
  if (begun === undefined) throw new TunnelError("stay-unreadable");
  const { role, folder, transport, openedAt } = begun;
  return { role, folder, transport, openedAt, invites: [...invites.values()], ...rest };
}

/** Where the session is, how far its agent is, and what its person has decided. */
function placeAndPerson(draft: Draft, change: SessionChange): void {
  switch (change.t) {
    case "begun":
      draft.begun = change;
      break;
    case "listens":
      draft.port = change.port;
      break;
    case "read":
      draft.read = change.seq;
      break;
    case "returned":
      draft.returned = change.seq;
      break;
    case "modes":
      draft.modes = change;
      break;
    case "withheld":
      draft.withheld.add(change.seq);
      break;
    default:
  }
}

/** What it has under way. @param text beside the change */
function work(draft: Draft, change: SessionChange, text: string): void {
  switch (change.t) {
    case "invite": {
      const { address, isForMember } = change;
      const id = inviteIdFrom(change.id);
      draft.invites.set(id, { id, address, isForMember });
      break;
    }
    case "held":
      draft.held.set(change.no, { ...change.message, text });
      draft.lastHeld = change.no;
      break;
    case "released":
      draft.held.delete(change.no);
      break;
    case "offer":
      draft.offers.push({ kind: change.kind, paths: change.paths, offer: text, to: change.to });
      break;
    case "receiving": {
      const { fileId, target, overwrite, only, part } = change;
      // One file at a time goes to a place: the later one is the earlier one, gone on with.
      for (const [no, other] of draft.receiving) if (other.target === target) draft.receiving.delete(no);
      draft.receiving.set(change.no, { fileId, target, overwrite, only, part });
      draft.lastReceiving = change.no;
      break;
    }
    case "received":
      draft.receiving.delete(change.no);
      break;
    default:
  }
}
