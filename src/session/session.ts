import { Services } from "../protocol/link/service.ts";
import { asTunnelError, TunnelError } from "../errors/tunnel-error.ts";
import { fromBase64url, toBase64url } from "../protocol/base/bytes.ts";
import { OFFER_ID_BYTES, type MemberId } from "../protocol/base/ids.ts";
import { decodeOffer, encodeOffer } from "../protocol/files/offer.ts";
import { decodeWithdrawal, encodeWithdrawal } from "../protocol/services/offer.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import type { Guest } from "../protocol/guest/guest.ts";
import type { Room } from "../protocol/host/room.ts";
import type { Attestation } from "../protocol/room/audit-log.ts";
import type { EndCause } from "../protocol/room/frames.ts";
import { Transcript, type Entry } from "../protocol/room/log.ts";
import type { OutgoingMessage, Presence } from "../protocol/room/participant.ts";
import type { Clock } from "../runtime/clock.ts";
import { Emitter, when, type Observable, type Subscribe } from "../runtime/emitter.ts";
import type { GuestNotice } from "../transport/guest-socket.ts";
import type { RoomNotice } from "../transport/relay-server.ts";
import { Confirmations } from "./saying/confirmations.ts";
import { Files, type Offering } from "./files/files.ts";
import type { LocalFiles } from "./files/local-files.ts";
import { Preparations } from "./files/preparations.ts";
import { fetchFile, offerFile } from "./files/requests.ts";
import { removePart } from "./paths/unfinished.ts";
import { streamPort, type StreamPort } from "./files/port.ts";
import { ServiceOffers } from "./service-offers.ts";
import { PROPOSAL, type Form } from "./keeping/form.ts";
import { SigningOff } from "./signing-off.ts";
import { Inbox, type InboxEvent } from "./inbox.ts";
import type { CallId } from "./saying/sent.ts";
import { OwnMessages } from "./saying/own-messages.ts";
import type {
  HeldOffer,
  KeptHeld,
  KeptService,
  KeptSession,
  SessionKeeping,
} from "./keeping/kept-session.ts";
import { keepHeld, originOf, sharedAgain, wordsAgain } from "./keeping/waiting.ts";
import { noticeAgain, noticeKept } from "./kept-notices.ts";
import type { Notice } from "./notice.ts";
import { noticeOf } from "./oversight-notices.ts";
import type { Answer, Sent } from "./saying/sent.ts";
import type { Held } from "../oversight/lanes/held.ts";
import { Supervision } from "../oversight/supervision.ts";
import { Judge, type ServiceJudgement, type TextScanner } from "./saying/judging.ts";
import type { Overseer } from "../oversight/overseer.ts";

/** Names one tunnel of this process in tool calls; unguessable, and no credential. */
export type TunnelId = string;

/** Why a session is over, as this side knows it. */
export type SessionEnd =
  | { readonly cause: "closed-here" | "closed-by-host" | "idle" | "host-stopped" | "removed" }
  | { readonly cause: "failed"; readonly error: TunnelError };

/** News of a session. It carries nothing: the listener looks for itself. */
export type SessionEvent =
  | InboxEvent
  /** This side's connection or the presence of a member has changed. */
  | { readonly type: "presence" }
  /** Something happened in the room, whether the agent is told or not. */
  | { readonly type: "heard" }
  /** Something was held, decided or let go, or a person has changed a mode. */
  | { readonly type: "oversight" }
  | { readonly type: "ended" };

/** Alarms kept for status: enough to see a pattern, bounded against a peer that makes them. */
export const MAX_ALARMS = 20;

const NOBODY_LEFT = "those it is for have left, and had not confirmed it by then";
const NOT_YET = "nobody has confirmed it yet; it is kept and delivered by itself";
const ENDED = "the tunnel has ended, and nobody had confirmed it by then";

/** The machine of either role. */
type Machine = Room | Guest;

/** A message that the machine has taken. */
export interface Posted {
  /** Names it among those that are not confirmed yet. */
  readonly key: number;
  /** Its place in the room, where that is known before it is confirmed. */
  readonly seq: number | undefined;
  /** The number among this side's own messages, where it has no place yet. */
  readonly ownNo?: number;
  /** Why nobody can confirm it at this moment; `undefined` when somebody can. */
  unreachable(): string | undefined;
  /** The reason that is given when nobody has confirmed it in time, although somebody could. */
  readonly slow: string;
}

interface SayOptions {
  readonly onConfirmed?: ((seq: number) => void) | undefined;
  readonly call?: CallId;
  readonly file?: Offering;
  readonly service?: OfferingService;
  /** It has waited for a person since an earlier process, under this number. */
  readonly heldNo?: number;
  readonly form?: Form | undefined;
}

/** The course of the offer of a service, which may have to wait for a person. */
export interface OfferingService {
  readonly judgement: ServiceJudgement;
  /** Called when it leaves: others may connect at once. */
  readonly leaves: () => void;
  /** Called when it was held and will not leave. */
  readonly dropped: () => void;
}

/** The notices that mean the same in both roles. */
type SharedNotice = Extract<RoomNotice | GuestNotice, { type: "entry" | "presence" | "stream" }>;

/** Everything that hosts and guests have in common: identity, inbox, files, alarms, confirmations and the end. */
export abstract class SessionBase implements Observable<SessionEvent> {
  abstract readonly role: "host" | "member";
  abstract readonly goal: string;
  /** Whether those who join later are given what is said now. */
  abstract readonly history: boolean;
  readonly tunnelId: TunnelId;
  readonly inbox: Inbox;
  readonly files: Files<Answer>;
  /** What may leave, what is delivered, and how much of it, as this side's person wants it. */
  readonly oversight: Supervision<Sent>;
  /** Files that are read so that they can be offered. */
  readonly preparations: Preparations;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
  protected readonly clock: Clock;
  readonly #machine: Machine;
  /** What streams are for, by name. */
  readonly services: Services;
  readonly streamPort: StreamPort;
  /** The services that this side was offered. */
  readonly serviceOffers = new ServiceOffers();
  /** Credit of streams that are no files. */
  #creditBeside = (): number => 0;
  /** The outcome that persons sign. */
  readonly signing: SigningOff;
  readonly #events = new Emitter<SessionEvent>();
  /** Wakes when the connection or the presence of a member has changed, or the session is over. */
  readonly onPresence: Subscribe = when(this, ({ type }) => type === "presence" || type === "ended");
  /** Everything that happened in the room as a person's faces see it: also what the agent has not been told. */
  readonly heardLog = new Transcript<Entry>((entry) => {
    if (entry.kind === "proposal") return 2 * entry.source.length;
    return entry.kind === "chat" ? entry.text.length : 0;
  });
  readonly #confirmations: Confirmations;
  readonly #judge: Judge;
  readonly #overseer: Overseer;
  readonly own: OwnMessages;
  readonly #alarms: TunnelError[];
  /** Places in the inbox of the notices that are kept until the agent has read them, by their numbers there. */
  readonly #unread = new Map<number, number>();
  #end: SessionEnd | undefined;
  #closing: Promise<void> | undefined;
  /** What this side knows, for a later process. */
  protected readonly keeping: SessionKeeping;
  /** What an earlier process knew. */
  readonly #kept: KeptSession | undefined;
  readonly #localFiles: LocalFiles | undefined;
  /** The last place of the room that an earlier process had. */
  readonly #keptSeq: number;
  #isDeparting = false;

  protected constructor(parts: {
    readonly tunnelId: TunnelId;
    readonly machine: Machine;
    readonly primitives: Primitives;
    readonly clock: Clock;
    readonly overseer: Overseer;
    readonly scanner: TextScanner;
    readonly keeping: SessionKeeping;
    /** Of an earlier process; the machine is the one that it had. */
    readonly kept: KeptSession | undefined;
    /** Reads again what an earlier process had offered. */
    readonly localFiles?: LocalFiles | undefined;
  }) {
    const { tunnelId, machine, primitives, clock, overseer, scanner, keeping, kept } = parts;
    this.tunnelId = tunnelId;
    this.openedAt = kept?.openedAt ?? clock.now();
    this.clock = clock;
    this.keeping = keeping;
    this.#kept = kept;
    this.own = new OwnMessages(keeping, kept?.own);
    this.#alarms = kept?.alarms.slice(-MAX_ALARMS) ?? [];
    this.#localFiles = parts.localFiles;
    this.#keptSeq = kept === undefined ? 0 : machine.lastSeq;
    this.#machine = machine;
    this.#overseer = overseer;
    this.#confirmations = new Confirmations(clock);
    const skew = (): number | undefined => machine.hostClockSkew;
    const onReturned = (seq: number): void => keeping.returned(seq);
    this.inbox = new Inbox({ self: machine.self, clock, start: 0, skew, onReturned });
    this.inbox.subscribe((event) => this.#events.emit(event));
    this.#judge = new Judge(scanner, (id) => this.presence().find((one) => one.id === id)?.name ?? id);
    this.oversight = new Supervision({
      overseer,
      tunnelId,
      ports: {
        deliver: (entry) => this.#delivered(entry),
        onNews: (news) => {
          // The end of the process decides nothing.
          if (this.#isDeparting) return;
          if (news.type === "withheld") keeping.withheld(news.entry.seq);
          if (news.type === "mode") keeping.modes(this.oversight.isPaused, this.oversight.gates);
          const notice = noticeOf(news);
          if (notice !== undefined) this.#notify(notice);
          this.#events.emit({ type: "oversight" });
        },
        revoke: (inviteId) => this.revoke(inviteId),
        tell: (oversight) => {
          if (this.#end === undefined) this.run((machine, now) => machine.overseen(oversight, now));
        },
        keep: keeping,
      },
    });
    if (kept !== undefined) this.oversight.restore(kept);
    const port = streamPort(
      (call) => this.run(call),
      () => this.writable(),
    );
    this.streamPort = port;
    this.services = new Services(port);
    this.files = new Files({
      primitives,
      clock,
      say: (outgoing, file, heldNo) => this.say(outgoing, { file, ...(heldNo !== undefined && { heldNo }) }),
      notify: (notice) => this.#notify(notice),
      services: this.services,
      port,
      creditBeside: () => this.#creditBeside(),
      shares: kept?.offers.flatMap((offer) => sharedAgain(offer, parts.localFiles, keeping) ?? []),
      onReceiving: (transfer) => {
        const no = keeping.receiving(transfer);
        return () => {
          keeping.received(no);
          keeping.partOver(transfer.part);
        };
      },
      onPart: (part) => keeping.partBegins(part),
      onOffered: ({ offer, source: { origin }, to }) => {
        if (origin !== undefined) keeping.offer({ origin, offer: encodeOffer(offer), to });
      },
    });
    this.signing = new SigningOff({
      self: () => machine.self,
      standing: () => machine.signOff,
      attestation: () => machine.attestation,
      say: (words, form, call) => this.say(words, { form, ...(call === undefined ? {} : { call }) }),
      acted: (mode, by) => this.oversight.acted(mode, by),
      onDemanded: () => keeping.signOff(),
      wasDemanded: kept?.isSignOffDemanded === true,
    });
    this.preparations = new Preparations({
      offer: (request) => offerFile(this, request),
      isUnchanged: (fileId) => this.files.isUnchanged(fileId),
      notify: (notice) => this.#notify(notice),
    });
  }

  /** Tells the agent, in this process or in a later one. @param keptNo a number of what is kept, where it stands there already */
  #notify(notice: Notice, keptNo?: number): void {
    // The end of the process is the end of nothing else.
    if (this.#isDeparting) return;
    const place = this.inbox.notify(notice);
    const kept = keptNo === undefined ? noticeKept(notice) : undefined;
    const no = keptNo ?? (kept && this.keeping.notice(kept));
    if (no !== undefined && place !== undefined) this.#unread.set(no, place);
    else if (no !== undefined) this.keeping.noticed(no);
  }

  get self(): MemberId {
    return this.#machine.self;
  }

  /** The proof of the room that this side can give; nothing before it is let in. */
  get attestation(): Attestation | undefined {
    return this.#machine.attestation;
  }

  /** Set once it is over. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  /** Failures on the way, newest last, for humans to hear of. */
  get alarms(): readonly TunnelError[] {
    return this.#alarms;
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  presence(): Presence[] {
    return this.#machine.presence(this.clock.now());
  }

  /** Where services of this side leave what a later process has to know of them. */
  get keptServices(): { begins: (service: KeptService) => void; over: (serviceId: string) => void } {
    return {
      begins: (service) => this.keeping.service(service),
      over: (serviceId) => this.keeping.serviceOver(serviceId),
    };
  }

  /** Files leave other streams of this side their credit (S4). */
  shareCredit(taken: () => number): void {
    this.#creditBeside = taken;
  }

  /**
   * Says something as soon as this side's person lets it: at once, where nothing in it waits for them.
   * @param options `onConfirmed`: called when a message that was answered `queued` is confirmed after all; `call`: the call that
   *   says it; `file`, `service`: what it offers; `form`: how its words stand in it
   * @throws {TunnelError} asks-crowded, scan-failed, and as the machine of the role says
   */
  say(outgoing: OutgoingMessage, options: SayOptions = {}): Promise<Answer> {
    const { file, service } = options;
    const waiting = this.#waiting(outgoing, options);
    const words = (edited: string | undefined): OutgoingMessage =>
      edited === undefined ? outgoing : { ...outgoing, text: edited, author: "human" };
    const answer = this.oversight.submit(
      {
        judge: (edited) => {
          if (file !== undefined) return this.#judge.file(words(edited), file.judgement);
          return service === undefined
            ? this.#judge.message(words(edited))
            : this.#judge.service(outgoing, service.judgement);
        },
        send: (edited) => {
          waiting.over();
          file?.leaves();
          service?.leaves();
          return this.#say(words(edited), options);
        },
        recheck: file?.recheck,
        dropped: () => {
          waiting.over();
          if (file !== undefined && !this.#isDeparting) this.keeping.forgetBytes(outgoing.text);
          file?.dropped();
          service?.dropped();
        },
      },
      outgoing.author ?? "agent",
    );
    return answer.then((given) => {
      if (given.status === "held") waiting.began(given);
      return given;
    });
  }

  /** Whatever waits for a person does so in a later process as well. */
  #waiting(
    outgoing: OutgoingMessage,
    { heldNo, ...more }: SayOptions,
  ): { began: (held: Held) => void; over: () => void } {
    let no = heldNo;
    let isOver = false;
    return {
      began: (held) => {
        if (!isOver) no ??= keepHeld(this.keeping, outgoing, { ...more, held });
      },
      over: () => {
        isOver = true;
        // The end of the process is no end of its wait.
        if (no !== undefined && !this.#isDeparting) this.keeping.released(no);
      },
    };
  }

  /** Takes up what an earlier process knew, once the machine has told again what that one had been told. */
  protected recalled(): void {
    if (this.#kept === undefined) return;
    this.inbox.restore(this.#kept);
    for (const [no, notice] of this.#kept.notices) this.#notify(noticeAgain(notice), no);
    if (this.#localFiles !== undefined) this.#receiveOn(this.#kept.receiving, this.#localFiles);
    for (const service of this.#kept.services.values()) this.#serviceIsGone(service);
    void this.#askAgain(this.#kept.held);
  }

  /** In their order, as far as reading a file lets that be. */
  async #askAgain(held: KeptSession["held"]): Promise<void> {
    for (const [no, one] of held) {
      const failed = (thrown: unknown): void => this.#notAskedAgain(no, one, asTunnelError(thrown));
      if (one.kind === "offer") await this.#offerAgain(no, one.offer, failed);
      else this.#askAgainNow(no, one, failed);
    }
  }

  #askAgainNow(
    heldNo: number,
    held: Exclude<KeptHeld, { kind: "offer" }>,
    failed: (thrown: unknown) => void,
  ): void {
    switch (held.kind) {
      case "words": {
        const form = held.isProposal ? { form: PROPOSAL } : {};
        this.say(wordsAgain(held.words), { heldNo, ...form }).catch(failed);
        break;
      }
      case "links":
        try {
          const may = this.oversight.mayInviteObservers(held.links);
          this.keeping.released(heldNo);
          // Nobody has to be asked any more: the agent makes the call again, as after a yes.
          if (may === "now") this.#told(held.askId, undefined);
        } catch (error) {
          failed(error);
        }
        break;
      case "else":
        failed(new TunnelError("held-dropped"));
    }
  }

  /** The file as it is now: the guards for its path and the search for secrets are those for a new offer. */
  async #offerAgain(heldNo: number, held: HeldOffer, failed: (thrown: unknown) => void): Promise<void> {
    try {
      const offer = decodeOffer(held.offer);
      if (offer === undefined || this.#localFiles === undefined) throw new TunnelError("held-dropped");
      const source = await this.#localFiles.asOffered(originOf(held, this.keeping), offer);
      const { id, key, size: _, hash: __, ...facts } = offer;
      const to = held.to === undefined ? {} : { to: held.to };
      const as = { id, key, heldNo };
      // Not waited for: what comes after it waits behind it.
      this.files.share(source, { ...facts, ...to, author: held.author, as }).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** It waited for a person, and nobody can be asked about it any more. */
  #notAskedAgain(heldNo: number, held: KeptHeld, error: TunnelError): void {
    if (this.#isDeparting || this.#end !== undefined) return;
    this.keeping.released(heldNo);
    if (held.kind === "offer") this.keeping.forgetBytes(held.offer.offer);
    if (held.askId !== undefined) this.oversight.forgo(held.askId);
    this.#told(held.askId, error);
  }

  /** The last word about something that an earlier process had answered `held`. */
  #told(askId: number | undefined, error: TunnelError | undefined): void {
    const outcome = error === undefined ? "released" : "withdrawn";
    this.#notify({ notice: "decided", askId, outcome, reason: undefined, sent: undefined, error });
  }

  /** A service ended with the process that had it: the others are told of one of this side, and the agent of every one. */
  #serviceIsGone({ side, serviceId, name, to, until }: KeptService): void {
    const isExpired = until !== undefined && until <= this.clock.now();
    if (!isExpired) this.#notify({ notice: "service-over", serviceId, name, why: "restarted" });
    const id = fromBase64url(serviceId, OFFER_ID_BYTES);
    const there = to?.filter((one) => this.streamPort.isMember(one));
    if (isExpired || side === "taken" || id === undefined || there?.length === 0)
      return this.keeping.serviceOver(serviceId);
    const receivers = there === undefined ? {} : { to: there };
    // One that cannot be told finds out with the next connection.
    this.say({ text: encodeWithdrawal(id), what: "file", ...receivers }).catch(() => undefined);
  }

  /** @throws {TunnelError} as the machine of the role says */
  async #say(words: OutgoingMessage, { onConfirmed, call, form }: SayOptions): Promise<Sent> {
    const outgoing: OutgoingMessage =
      form === undefined ? words : { ...words, text: form.make(words.text), what: "file" };
    const withdrawn = outgoing.what === undefined ? undefined : decodeWithdrawal(outgoing.text);
    const posted = this.post(outgoing);
    this.#judge.left(words);
    if (withdrawn !== undefined) this.keeping.serviceOver(toBase64url(withdrawn));
    const { key, seq, ownNo } = posted;
    this.own.add(outgoing, { key, seq, ownNo, call, saidAt: this.clock.now() });
    const sent = await this.#standing(posted, onConfirmed);
    if (!this.#isDeparting) this.own.answered(key);
    return sent;
  }

  /** How a message stands as soon as that can be said. */
  async #standing(posted: Posted, onConfirmed: SayOptions["onConfirmed"]): Promise<Sent> {
    const { key, seq, ownNo, slow } = posted;
    // A connection can be dead without anybody having noticed: only its receiver can confirm a message.
    const isReachable = posted.unreachable() === undefined;
    const found = isReachable ? await this.#confirmations.wait(key) : ({ name: "late" } as const);
    switch (found.name) {
      case "confirmed":
        return { status: "sent", seq: found.seq };
      case "hopeless":
        return {
          status: "unconfirmed",
          seq,
          ownNo,
          reason: this.#end === undefined ? NOBODY_LEFT : ENDED,
        };
      case "late":
        this.#confirmations.later(key, onConfirmed);
        return { status: "queued", seq, ownNo, reason: posted.unreachable() ?? slow };
    }
  }

  /**
   * A message that a call which was cut off has said already: it is not said again.
   * @returns how it stands by now, and the call that said it; undefined where it has to be said
   */
  sayAgain(
    outgoing: OutgoingMessage,
    call: CallId,
  ): { readonly sent: Sent; readonly repeatOf: CallId | undefined } | undefined {
    const found = this.own.takeUp(outgoing, call, this.clock.now());
    if (found === undefined) return undefined;
    const { seq, ownNo, call: repeatOf } = found;
    if (found.state === "sent" && seq !== undefined) return { sent: { status: "sent", seq }, repeatOf };
    return { sent: { status: "queued", seq, ownNo, reason: NOT_YET }, repeatOf };
  }

  /** A call has arrived: the agent has what it was given before. */
  settle(): void {
    this.inbox.settle();
    if (this.#end !== undefined) return;
    this.keeping.read(this.inbox.read);
    for (const [no, place] of this.#unread) {
      if (!this.inbox.hasRead(place)) continue;
      this.#unread.delete(no);
      this.keeping.noticed(no);
    }
  }

  /** Goes on with the files that were on their way. Nobody waits for them: a notice tells how each of them ends. */
  #receiveOn(receiving: KeptSession["receiving"], localFiles: LocalFiles): void {
    for (const [no, { fileId, target, part, ...wish }] of receiving) {
      const request = { fileId, savePath: target, part, ...wish };
      fetchFile(this.files, localFiles, request)
        .then(({ download }) => download.attend(false))
        // The offer or the place is gone.
        .catch(async () => {
          if (this.#isDeparting) return;
          await removePart(part);
          this.keeping.partOver(part);
        })
        .finally(() => this.keeping.received(no));
    }
  }

  /** A tool call concerned this session: activity, and the reading position as it is now. */
  touch(): void {
    if (this.#end !== undefined) return;
    this.run((machine, now) => machine.touch(this.inbox.read, now));
  }

  /**
   * A host ends the room, a guest leaves it. Resolves when everybody has been told and nothing is heard any more. Idempotent.
   * @param cause told to the members; a guest only leaves
   */
  close(cause: EndCause = "closed"): Promise<void> {
    // Closing is itself told as an end, which closes: the promise must exist before the machine is called.
    this.#closing ??= Promise.resolve().then(() => this.#close(cause));
    return this.#closing;
  }

  /**
   * The process ends. Where the stay is kept nobody is told, since a later process may come back; otherwise it is closed. Resolves when
   * nothing is left running.
   */
  depart(): Promise<void> {
    if (!this.keeping.isKept || this.#end !== undefined) return this.close("host-stopped");
    this.#closing ??= this.#depart();
    return this.#closing;
  }

  /** The process is about to end. */
  expectEnd(): void {
    if (this.keeping.isKept) this.files.expectEnd();
  }

  async #depart(): Promise<void> {
    this.#isDeparting = true;
    await this.stop();
    this.oversight.leave();
    await Promise.all([this.preparations.end(), this.files.leave()]);
    this.keeping.leave();
  }

  /** The process ends, and the stay goes on without it. */
  protected get isDeparting(): boolean {
    return this.#isDeparting;
  }

  /** Closes it, and resolves when nothing is left running: a program may take a moment longer than {@link close}. */
  gone(): Promise<void> {
    return this.close();
  }

  async #close(cause: EndCause): Promise<void> {
    this.finish(cause);
    await Promise.all([this.preparations.end(), this.files.end()]);
    await this.stop();
    await this.keeping.remove();
  }

  /** Takes an invite back that is not used up yet; a member has none to take back. */
  abstract revoke(inviteId: string): boolean;
  /** Calls the machine and carries out what comes of it. */
  protected abstract run<Result>(call: (machine: Machine, now: number) => Result): Result;
  /** Resolves when this side's own connection can take more of a file. */
  protected abstract writable(): Promise<void>;
  /** Gives a message to the machine. @throws {TunnelError} as the machine says */
  protected abstract post(outgoing: OutgoingMessage): Posted;
  /** Ends the stay in the room. */
  protected abstract finish(cause: EndCause): void;
  /** Stops what carries the session. */
  protected abstract stop(): Promise<void>;

  protected heard(notice: SharedNotice): void {
    switch (notice.type) {
      case "entry":
        this.heardLog.append(notice.entry);
        if (notice.entry.kind === "proposal" && this.signing.isOpen) this.#overseer.proposed(this.tunnelId);
        this.#events.emit({ type: "heard" });
        return this.#heardEntry(notice.entry);
      case "presence":
        this.files.rosterChanged();
        return this.#events.emit({ type: "presence" });
      case "stream":
        return this.services.happened(notice.event);
    }
  }

  #heardEntry(entry: Entry): void {
    const kept = this.#kept;
    if (kept === undefined || entry.seq > this.#keptSeq) return this.oversight.heard(entry);
    // A person has decided about it.
    if (kept.withheld.has(entry.seq)) return;
    this.oversight.recall(entry, entry.seq <= kept.read);
  }

  #delivered(entry: Entry): void {
    this.inbox.append(entry);
    if (entry.kind === "file") this.files.heard(entry);
    if (entry.kind === "service" || entry.kind === "withdrawal")
      this.serviceOffers.heard(entry, this.clock.now());
  }

  /** @param member name of the one it concerns, where that is a member of its own */
  protected alarm(error: TunnelError, member: string | undefined): void {
    this.keeping.alarm(error);
    this.#alarms.push(error);
    if (this.#alarms.length > MAX_ALARMS) this.#alarms.shift();
    this.inbox.notify({ notice: "alarm", error, member });
  }

  protected confirm(key: number, seq: number): void {
    this.own.confirmed(key, seq);
    this.#confirmations.confirm(key, seq);
  }

  protected giveUp(key: number): void {
    this.own.givenUp(key);
    this.#confirmations.giveUp(key);
  }

  /** The stay in the room is over, by whatever cause: what carries it must go, too. */
  protected ended(end: SessionEnd): void {
    this.#end = end;
    this.oversight.end();
    this.inbox.close();
    this.own.end();
    this.#confirmations.end();
    this.#events.emit({ type: "ended" });
    void this.close();
  }
}
