import * as z from "zod/mini";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { MAX_RECORDS, type AuditRecord } from "../../oversight/audit/audit.ts";
import type { KeptBounds } from "../../oversight/bounds/bounds.ts";
import { LOOPS } from "../../oversight/bounds/loop-guard.ts";
import { GATE_NAMES } from "../../oversight/gates/gates.ts";
import { OUTBOUND } from "../../oversight/filter/verdict.ts";
import { bytesOf, counter, memberId, ordinal } from "../../protocol/base/header.ts";
import { INVITE_ID_BYTES, inviteIdFrom, type InviteId, type MemberId } from "../../protocol/base/ids.ts";
import { decodeChange, encodeChange } from "../../protocol/keeping/keeper.ts";
import { fromBase64url, toHex, type Bytes } from "../../protocol/base/bytes.ts";
import { decodeUtf8, encodeUtf8 } from "../../protocol/base/utf8.ts";
import { INTENTS } from "../../protocol/room/intent.ts";
import { decodeOffer } from "../../protocol/files/offer.ts";
import { errorAgain, errorKept, keptError } from "./errors.ts";
import { keptNotice, type KeptNotice } from "./notices.ts";
import type { Receiving } from "../files/files.ts";
import type { FileOrigin } from "../files/port.ts";
import { MAX_MESSAGES, OWN_KINDS, type KeptOwn } from "../saying/own-messages.ts";
import type { KeptStay } from "../stays/stays.ts";
import { auditRecord } from "../transcript/decisions.ts";

/** The changes of what a session knows beside its machine. The first is `begun`. */

const outgoing = z.strictObject({
  intent: z.optional(z.enum(INTENTS)),
  author: z.optional(z.literal("human")),
  replyTo: z.optional(ordinal),
  to: z.optional(z.array(memberId)),
});

const label = z.string().check(z.maxLength(256));
const gate = z.enum(GATE_NAMES);
const author = z.optional(z.literal("human"));
const receivers = z.optional(z.array(memberId));

/** Where the bytes of an offer come from. Of what was made in memory they lie beside the journal, under the id of the offer. */
const origin = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.enum(["file", "tree"]), paths: z.array(z.string()) }),
  z.strictObject({ kind: z.literal("made"), where: z.enum(OUTBOUND) }),
]);

/** As many alarms of one stay are kept: a peer that makes them must not fill the disk. */
const MAX_ALARM_CHANGES = 200;

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
  /** The tunnel is to end with the signatures of all persons. */
  z.strictObject({ t: z.literal("sign-off") }),
  /** A message, or the outcome of a proposal, that waits for a person, with its text. */
  z.strictObject({
    t: z.literal("held"),
    no: ordinal,
    message: outgoing,
    isProposal: z.optional(z.literal(true)),
    askId: z.optional(ordinal),
  }),
  /** The offer of a file that waits; the encoded offer is the text. `gates` and `reasons`: of what was made in memory. */
  z.strictObject({
    t: z.literal("held-offer"),
    no: ordinal,
    origin,
    author,
    to: receivers,
    gates: z.array(gate),
    reasons: z.array(z.string()),
    askId: z.optional(ordinal),
  }),
  /** Links for observers about which a person is asked. */
  z.strictObject({
    t: z.literal("held-links"),
    no: ordinal,
    links: ordinal,
    history: z.boolean(),
    minutes: ordinal,
    askId: z.optional(ordinal),
  }),
  /** Something else that waits and cannot be asked about again. */
  z.strictObject({ t: z.literal("held-else"), no: ordinal, askId: z.optional(ordinal) }),
  /** It waits no longer. */
  z.strictObject({ t: z.literal("released"), no: ordinal }),
  /** A file or a tree that was offered; its offer, with hash and key, is the text. */
  z.strictObject({ t: z.literal("offer"), origin, to: receivers }),
  /** A service that this side offers, or has taken from a member; and its end. */
  z.strictObject({
    t: z.literal("service"),
    side: z.enum(["offered", "taken"]),
    serviceId: label,
    name: label,
    to: receivers,
    until: z.optional(counter),
  }),
  z.strictObject({ t: z.literal("service-over"), serviceId: label }),
  /** A person's decision, or a question to them. */
  z.strictObject({ t: z.literal("audit"), record: auditRecord }),
  /** So many older ones are no longer kept. */
  z.strictObject({ t: z.literal("audit-dropped"), count: ordinal }),
  /** So much of the budgets is used. */
  z.strictObject({
    t: z.literal("bounds"),
    upTo: counter,
    renewedAt: counter,
    used: z.strictObject({ messages: counter, bytes: counter, files: counter }),
    since: z.optional(counter),
    loop: z.optional(z.enum(LOOPS)),
  }),
  /** A message of this side, as far as a call that repeats it has to know it; and what became of it. */
  z.strictObject({
    t: z.literal("own"),
    key: counter,
    seq: z.optional(ordinal),
    ownNo: z.optional(ordinal),
    firstWords: z.string().check(z.maxLength(256)),
    kind: z.enum(OWN_KINDS),
    trace: label,
    saidAt: counter,
    isOfCall: z.boolean(),
  }),
  z.strictObject({ t: z.literal("own-answered"), key: counter }),
  z.strictObject({ t: z.literal("own-sent"), key: counter, seq: ordinal }),
  z.strictObject({ t: z.literal("own-lost"), key: counter }),
  z.strictObject({ t: z.literal("alarm"), error: keptError }),
  /** A notice that its agent has not read; and that it has by now. */
  z.strictObject({ t: z.literal("notice"), no: ordinal, notice: keptNotice }),
  z.strictObject({ t: z.literal("noticed"), no: ordinal }),
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
  readonly origin: z.infer<typeof origin>;
  /** The encoded offer. */
  readonly offer: string;
  readonly to: readonly MemberId[] | undefined;
}

/** The offer of a file that waits for a person. */
export interface HeldOffer extends KeptOffer {
  readonly author: "human" | undefined;
  readonly gates: readonly z.infer<typeof gate>[];
  readonly reasons: readonly string[];
}

/** Links for observers, as they were asked for. */
export type KeptLinks = Omit<Extract<SessionChange, { t: "held-links" }>, "t" | "no" | "askId">;

/** Something that waits for a person; `askId` as its agent was told it, where it has an ask of its own. */
export type KeptHeld = { readonly askId: number | undefined } & (
  | { readonly kind: "words"; readonly words: KeptWords; readonly isProposal: boolean }
  | { readonly kind: "offer"; readonly offer: HeldOffer }
  | { readonly kind: "links"; readonly links: KeptLinks }
  | { readonly kind: "else" }
);

/** A service of this side, or of a member that this side uses. */
export type KeptService = Omit<Extract<SessionChange, { t: "service" }>, "t">;

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
  readonly isSignOffDemanded: boolean;
  /** All that waited for a person, by numbers of this state. */
  readonly held: ReadonlyMap<number, KeptHeld>;
  readonly lastHeld: number;
  readonly offers: readonly KeptOffer[];
  readonly services: ReadonlyMap<string, KeptService>;
  readonly audit: { readonly records: readonly AuditRecord[]; readonly dropped: number };
  readonly bounds: KeptBounds | undefined;
  /** The last messages of this side, oldest first. */
  readonly own: readonly KeptOwn[];
  readonly alarms: readonly TunnelError[];
  /** Those that the agent has not read, by numbers of this state. */
  readonly notices: ReadonlyMap<number, KeptNotice>;
  readonly lastNotice: number;
  /** Files on their way here, by their numbers. */
  readonly receiving: ReadonlyMap<number, Receiving>;
  readonly lastReceiving: number;
}

/** The place in which a session is kept. */
type Place = Pick<
  KeptStay,
  | "isKept"
  | "keepBeside"
  | "write"
  | "keepContent"
  | "content"
  | "forgetContent"
  | "partBegins"
  | "partOver"
  | "leave"
  | "remove"
>;

/** Keeps the changes of one session; nothing where its tunnel is not kept. */
export class SessionKeeping {
  readonly #stay: Place | undefined;
  #read: number;
  #returned: number;
  #held: number;
  #receiving: number;
  #alarms: number;
  #notices: number;

  constructor(stay: Place | undefined, kept?: KeptSession) {
    this.#stay = stay;
    this.#read = kept?.read ?? 0;
    this.#returned = kept?.returned ?? 0;
    this.#held = kept?.lastHeld ?? 0;
    this.#receiving = kept?.lastReceiving ?? 0;
    this.#alarms = kept?.alarms.length ?? 0;
    this.#notices = kept?.lastNotice ?? 0;
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

  signOff(): void {
    this.#keep({ t: "sign-off" });
  }

  /** @returns what {@link released} takes */
  held(
    { text, ...message }: KeptWords,
    { isProposal, askId }: { readonly isProposal: boolean; readonly askId: number | undefined },
  ): number {
    this.#held += 1;
    const kind = isProposal ? ({ isProposal } as const) : {};
    this.#keep({ t: "held", no: this.#held, message, ...kind, askId }, encodeUtf8(text));
    return this.#held;
  }

  /** @returns what {@link released} takes; undefined where its bytes cannot be kept */
  heldOffer(
    held: Omit<HeldOffer, "origin"> & { readonly origin: FileOrigin; readonly askId: number | undefined },
  ): number | undefined {
    const { offer, to, author: by, gates, reasons, askId } = held;
    const from = this.#originOf(held);
    if (from === undefined) return undefined;
    this.#held += 1;
    const found = { gates: [...gates], reasons: [...reasons] };
    const change = { origin: from, author: by, askId, ...found, ...addressed(to) };
    this.#keep({ t: "held-offer", no: this.#held, ...change }, encodeUtf8(offer));
    return this.#held;
  }

  /** @returns what {@link released} takes */
  heldLinks(links: KeptLinks & { readonly askId: number }): number {
    this.#held += 1;
    this.#keep({ t: "held-links", no: this.#held, ...links });
    return this.#held;
  }

  /** @returns what {@link released} takes */
  heldElse(askId: number | undefined): number {
    this.#held += 1;
    this.#keep({ t: "held-else", no: this.#held, askId });
    return this.#held;
  }

  /** Written together with what follows from it, such as the message that leaves: a kill takes both or none. */
  released(no: number): void {
    this.#add({ t: "released", no });
  }

  offer(offered: Omit<KeptOffer, "origin"> & { readonly origin: FileOrigin }): void {
    const from = this.#originOf(offered);
    if (from === undefined) return;
    this.#keep({ t: "offer", origin: from, ...addressed(offered.to) }, encodeUtf8(offered.offer));
  }

  /** The bytes of an offer that were in memory; undefined where they are not kept. */
  madeBytes(offer: string): Bytes | undefined {
    const facts = decodeOffer(offer);
    return facts && this.#stay?.content(toHex(facts.id), facts.size);
  }

  /** An offer that was made in memory will not leave. */
  forgetBytes(offer: string): void {
    const facts = decodeOffer(offer);
    if (facts !== undefined) this.#stay?.forgetContent(toHex(facts.id));
  }

  service({ to, ...service }: KeptService): void {
    this.#keep({ t: "service", ...service, ...addressed(to) });
  }

  serviceOver(serviceId: string): void {
    this.#keep({ t: "service-over", serviceId });
  }

  audit(record: AuditRecord): void {
    this.#keep({ t: "audit", record: plainRecord(record) });
  }

  bounds(bounds: KeptBounds): void {
    this.#keep({ t: "bounds", ...bounds });
  }

  own({ key, seq, ownNo, firstWords, kind, trace, saidAt, isOfCall }: KeptOwn): void {
    this.#keep({ t: "own", key, seq, ownNo, firstWords, kind, trace, saidAt, isOfCall });
  }

  ownAnswered(key: number): void {
    this.#keep({ t: "own-answered", key });
  }

  ownSent(key: number, seq: number): void {
    this.#keep({ t: "own-sent", key, seq });
  }

  ownLost(key: number): void {
    this.#keep({ t: "own-lost", key });
  }

  /** @returns what {@link noticed} takes */
  notice(notice: KeptNotice): number {
    this.#notices += 1;
    this.#keep({ t: "notice", no: this.#notices, notice });
    return this.#notices;
  }

  noticed(no: number): void {
    this.#keep({ t: "noticed", no });
  }

  alarm(error: TunnelError): void {
    if (this.#alarms >= MAX_ALARM_CHANGES) return;
    this.#alarms += 1;
    this.#keep({ t: "alarm", error: errorKept(error) });
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

  /** A file or folder on its way is about to lie there: it is removed when nobody comes back for it. */
  partBegins(part: string): void {
    this.#stay?.partBegins(part);
  }

  /** It does no longer. */
  partOver(part: string): void {
    this.#stay?.partOver(part);
  }

  /** The process ends, and a later one may come back. */
  leave(): void {
    this.#stay?.leave();
  }

  /** The stay is over. */
  async remove(): Promise<void> {
    await this.#stay?.remove();
  }

  /** The origin as it is kept: bytes in memory are written beside the journal first. */
  #originOf({
    origin: from,
    offer,
  }: {
    readonly origin: FileOrigin;
    readonly offer: string;
  }): KeptOffer["origin"] | undefined {
    if (from.kind !== "made") return { kind: from.kind, paths: [...from.paths] };
    const facts = decodeOffer(offer);
    if (facts === undefined || this.#stay?.keepContent(toHex(facts.id), from.bytes) !== true)
      return undefined;
    return { kind: "made", where: from.where };
  }

  #keep(change: SessionChange, ...bodies: readonly Bytes[]): void {
    this.#add(change, ...bodies);
    this.#stay?.write();
  }

  #add(change: SessionChange, ...bodies: readonly Bytes[]): void {
    this.#stay?.keepBeside(encodeChange(change, ...bodies));
  }
}

/** A change, and the bytes beside it. */
type Whole = readonly [SessionChange, ...Bytes[]];

/** The fewest changes that lead to this again. */
export function fewestChanges(kept: KeptSession): Bytes[] {
  const all = [...placeChanges(kept), ...workChanges(kept), ...decisionChanges(kept)];
  return all.map((change) => encodeChange(...change));
}

function placeChanges(kept: KeptSession): Whole[] {
  const { role, folder, transport, openedAt, port, read, returned, modes } = kept;
  const changes: Whole[] = [];
  const add = (...change: Whole): void => void changes.push(change);
  add({ t: "begun", role, folder, transport, openedAt });
  if (port !== undefined) add({ t: "listens", port });
  add({ t: "read", seq: read });
  add({ t: "returned", seq: returned });
  if (modes !== undefined) add({ t: "modes", isPaused: modes.isPaused, gates: [...modes.gates] });
  for (const seq of kept.withheld) add({ t: "withheld", seq });
  for (const { id: invite, address, isForMember } of kept.invites) {
    const id = must(fromBase64url(invite, INVITE_ID_BYTES), "the bytes of an invite's id");
    add({ t: "invite", id, address, isForMember });
  }
  return changes;
}

function workChanges(kept: KeptSession): Whole[] {
  const changes: Whole[] = [];
  const add = (...change: Whole): void => void changes.push(change);
  for (const [no, held] of kept.held) add(...heldChange(no, held));
  for (const { origin: from, offer, to } of kept.offers)
    add({ t: "offer", origin: from, ...addressed(to) }, encodeUtf8(offer));
  for (const service of kept.services.values()) add({ t: "service", ...service });
  for (const one of kept.own) changes.push(...ownChanges(one).map((change): Whole => [change]));
  for (const [no, { only, ...transfer }] of kept.receiving)
    add({ t: "receiving", no, ...transfer, ...(only && { only: [...only] }) });
  return changes;
}

function decisionChanges({ isSignOffDemanded, audit, bounds, alarms, notices }: KeptSession): Whole[] {
  const changes: Whole[] = [];
  const add = (...change: Whole): void => void changes.push(change);
  if (isSignOffDemanded) add({ t: "sign-off" });
  if (audit.dropped > 0) add({ t: "audit-dropped", count: audit.dropped });
  for (const record of audit.records) add({ t: "audit", record: plainRecord(record) });
  if (bounds !== undefined) add({ t: "bounds", ...bounds });
  for (const error of alarms) add({ t: "alarm", error: errorKept(error) });
  for (const [no, notice] of notices) add({ t: "notice", no, notice });
  return changes;
}

function heldChange(no: number, { askId, ...held }: KeptHeld): Whole {
  switch (held.kind) {
    case "words": {
      const { text, ...message } = held.words;
      const kind = held.isProposal ? ({ isProposal: true } as const) : {};
      return [{ t: "held", no, message, ...kind, askId }, encodeUtf8(text)];
    }
    case "offer": {
      const { offer, to, gates, reasons, ...rest } = held.offer;
      const found = { gates: [...gates], reasons: [...reasons] };
      return [{ t: "held-offer", no, askId, ...rest, ...found, ...addressed(to) }, encodeUtf8(offer)];
    }
    case "links":
      return [{ t: "held-links", no, askId, ...held.links }];
    case "else":
      return [{ t: "held-else", no, askId }];
  }
}

function ownChanges({ state, isAnswered, ...own }: KeptOwn): SessionChange[] {
  const { key, seq } = own;
  return [
    { t: "own", ...own },
    ...(isAnswered ? [{ t: "own-answered", key } as const] : []),
    ...(state === "sent" && seq !== undefined ? [{ t: "own-sent", key, seq } as const] : []),
    ...(state === "unconfirmed" ? [{ t: "own-lost", key } as const] : []),
  ];
}

/** Without what is undefined. */
function plainRecord(record: AuditRecord): z.infer<typeof auditRecord> {
  return auditRecord.parse(JSON.parse(JSON.stringify(record)));
}

function addressed(to: readonly MemberId[] | undefined): { to?: MemberId[] } {
  return to === undefined ? {} : { to: [...to] };
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
  isSignOffDemanded: boolean;
  readonly held: Map<number, KeptHeld>;
  lastHeld: number;
  readonly offers: KeptOffer[];
  readonly services: Map<string, KeptService>;
  readonly audit: { records: AuditRecord[]; dropped: number };
  bounds: KeptBounds | undefined;
  own: KeptOwn[];
  readonly alarms: TunnelError[];
  readonly notices: Map<number, KeptNotice>;
  lastNotice: number;
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
    isSignOffDemanded: false,
    held: new Map(),
    lastHeld: 0,
    offers: [],
    services: new Map(),
    audit: { records: [], dropped: 0 },
    bounds: undefined,
    own: [],
    alarms: [],
    notices: new Map(),
    lastNotice: 0,
    receiving: new Map(),
    lastReceiving: 0,
  };
  for (const change of changes) {
    const { header, bodies } = decodeChange(sessionChange, change);
    const [body] = bodies;
    const text = body === undefined ? "" : decodeUtf8(body);
    if (text === undefined) throw new TunnelError("stay-unreadable");
    placeAndPerson(draft, header);
    decisions(draft, header);
    waiting(draft, header, text);
    work(draft, header, text);
    said(draft, header);
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

/** What its person was asked, and how much its agent has used. */
function decisions(draft: Draft, change: SessionChange): void {
  switch (change.t) {
    case "sign-off":
      draft.isSignOffDemanded = true;
      break;
    case "audit": {
      const { audit } = draft;
      audit.records.push(change.record);
      if (audit.records.length <= MAX_RECORDS) break;
      audit.records.shift();
      audit.dropped += 1;
      break;
    }
    case "audit-dropped":
      draft.audit.dropped += change.count;
      break;
    case "bounds": {
      const { t: _, ...bounds } = change;
      draft.bounds = bounds;
      break;
    }
    case "alarm":
      draft.alarms.push(errorAgain(change.error));
      break;
    case "notice":
      draft.notices.set(change.no, change.notice);
      draft.lastNotice = change.no;
      break;
    case "noticed":
      draft.notices.delete(change.no);
      break;
    default:
  }
}

/** What waits for its person. @param text beside the change */
function waiting(draft: Draft, change: SessionChange, text: string): void {
  switch (change.t) {
    case "held":
      draft.held.set(change.no, {
        kind: "words",
        words: { ...change.message, text },
        isProposal: change.isProposal === true,
        askId: change.askId,
      });
      break;
    case "held-offer": {
      const { origin: from, to, author: by, gates, reasons } = change;
      const offer = { origin: from, to, author: by, gates, reasons, offer: text };
      draft.held.set(change.no, { kind: "offer", offer, askId: change.askId });
      break;
    }
    case "held-links": {
      const { links, history, minutes, askId } = change;
      draft.held.set(change.no, { kind: "links", links: { links, history, minutes }, askId });
      break;
    }
    case "held-else":
      draft.held.set(change.no, { kind: "else", askId: change.askId });
      break;
    case "released":
      draft.held.delete(change.no);
      break;
    default:
  }
  if ("no" in change && change.t.startsWith("held")) draft.lastHeld = change.no;
}

/** What it has said last. */
function said(draft: Draft, change: SessionChange): void {
  const of = (key: number, now: Partial<KeptOwn>): void => {
    draft.own = draft.own.map((one) => (one.key === key ? { ...one, ...now } : one));
  };
  switch (change.t) {
    case "own": {
      const { t: _, seq, ownNo, ...own } = change;
      const one: KeptOwn = { ...own, seq, ownNo, state: "queued", isAnswered: false };
      draft.own = [...draft.own, one].slice(-MAX_MESSAGES);
      break;
    }
    case "own-answered":
      of(change.key, { isAnswered: true });
      break;
    case "own-sent":
      of(change.key, { state: "sent", seq: change.seq });
      break;
    case "own-lost":
      of(change.key, { state: "unconfirmed" });
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
    case "offer":
      draft.offers.push({ origin: change.origin, offer: text, to: change.to });
      break;
    case "service": {
      const { t: _, ...service } = change;
      draft.services.set(change.serviceId, service);
      break;
    }
    case "service-over":
      draft.services.delete(change.serviceId);
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
