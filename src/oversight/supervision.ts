import type { Entry, SpokenEntry } from "../protocol/room/log.ts";
import type { Oversight } from "../protocol/room/oversight.ts";
import { utf8Length } from "../protocol/base/utf8.ts";
import type { Decider, Outcome } from "./asks/ask.ts";
import type { AskEvent } from "./asks/asks.ts";
import { askedRecord, AuditTrail, decidedRecord, type AuditRecord, type Mode } from "./audit/audit.ts";
import { Bounds, type HoldReason, type KeptBounds, type Said } from "./bounds/bounds.ts";
import type { Budget, Gauges } from "./bounds/budgets.ts";
import { CHOSEN_GATES, type ChosenGate, type Gate } from "./gates/gates.ts";
import { Inbound, type Incoming } from "./lanes/inbound.ts";
import { Outbound, type Outgoing, type Released } from "./lanes/outbound.ts";
import type { Held } from "./lanes/held.ts";
import type { Overseer } from "./overseer.ts";
import type { Subject } from "./asks/subject.ts";
import { TunnelError } from "../errors/tunnel-error.ts";

/** A word of the oversight to this side's agent and to its faces. */
export type SupervisionNews<Sent> =
  | { readonly type: "released"; readonly released: Released<Sent> }
  | { readonly type: "withheld"; readonly entry: Entry; readonly why: Outcome["state"] | "too-many" }
  /** So much of these budgets is used that both people should know. */
  | { readonly type: "budget-warning"; readonly budgets: readonly Budget[] }
  | { readonly type: "mode"; readonly mode: Mode };

export interface SupervisionPorts<Sent> {
  /** Gives an entry of the room to this side's agent. */
  readonly deliver: (entry: Entry) => void;
  readonly onNews: (news: SupervisionNews<Sent>) => void;
  /** This invite lets nobody in any more. */
  readonly revoke: (inviteId: string) => void;
  /** The others are to know. */
  readonly tell: (oversight: Oversight) => void;
  /** For a later process of this side. */
  readonly keep?: SupervisionKeeper | undefined;
}

/** Where the oversight leaves what a later process of this side has to know. */
interface SupervisionKeeper {
  audit(record: AuditRecord): void;
  bounds(bounds: KeptBounds): void;
  /** A person is asked about links for observers. @returns what {@link released} takes */
  heldLinks(links: ObserverLinks & { readonly askId: number }): number;
  /** Nobody is asked about it any more, or it has been used. */
  released(no: number): void;
}

/** Links for observers, as they are asked for. */
type ObserverLinks = Omit<Extract<Subject, { kind: "observer" }>, "kind">;

/** The oversight of a tunnel, as an earlier process of this side left it. */
export interface KeptSupervision {
  readonly modes: { readonly isPaused: boolean; readonly gates: readonly string[] } | undefined;
  readonly audit: Pick<AuditTrail, "records" | "dropped">;
  readonly bounds: KeptBounds | undefined;
}

/** Gauges are told again after so large a step of their limit. */
const TOLD_STEP = 0.05;

/** The oversight of one tunnel: what leaves, what comes in, and how much of it, as this side's person wants it. */
export class Supervision<Sent> {
  readonly audit: AuditTrail;
  readonly #overseer: Overseer;
  readonly #tunnelId: string;
  readonly #ports: SupervisionPorts<Sent>;
  readonly #bounds: Bounds | undefined;
  readonly #outbound: Outbound<Sent>;
  /** A person's own words: no mode and no budget holds them, and what the filter finds is asked of them as well. */
  readonly #byHand: Outbound<Sent>;
  readonly #inbound: Inbound<Entry>;
  readonly #unsubscribe: () => void;
  #gates: ReadonlySet<ChosenGate>;
  #isPaused = false;
  /** By invite and name: those whom a person has let in, and those whom it is being asked about. */
  readonly #admitted = new Set<string>();
  readonly #asking = new Set<string>();
  /** Links of observers that a person is asked about, or has allowed: by their kind and number (H29). */
  readonly #observers = new Map<string, { readonly askId: number } | "allowed">();
  /** By the same key: names each of them for a later process. */
  readonly #keptLinks = new Map<string, number>();
  #isOver = false;
  #told: Oversight = { state: "free" };

  constructor(options: {
    readonly overseer: Overseer;
    readonly tunnelId: string;
    readonly ports: SupervisionPorts<Sent>;
  }) {
    const { overseer, tunnelId, ports } = options;
    const { asks, settings } = overseer;
    this.#overseer = overseer;
    this.#tunnelId = tunnelId;
    this.#ports = ports;
    this.#gates = new Set(settings.gates);
    const { keep } = ports;
    this.audit = new AuditTrail((record) => keep?.audit(record));
    this.#bounds =
      settings.budgets === "off" ? undefined : new Bounds(settings.budgets, (kept) => keep?.bounds(kept));
    const isPaused = (): boolean => this.#isPaused;
    const way = {
      tunnelId,
      asks,
      isPaused,
      closed: (gates: readonly Gate[]) => overseer.closed(gates),
      standing: () => this.#standing(),
      onApproved: (gates: readonly Gate[]) => this.#approved(gates),
      onReleased: (released: Released<Sent>) => ports.onNews({ type: "released", released }),
    };
    this.#outbound = new Outbound(way);
    this.#byHand = new Outbound({ ...way, isPaused: () => false, standing: () => [] });
    this.#inbound = new Inbound({
      tunnelId,
      asks,
      isPaused,
      isHeld: () => this.#gates.has("hold-in"),
      deliver: ports.deliver,
      withhold: (entry, { state }) => ports.onNews({ type: "withheld", entry, why: state }),
    });
    this.#unsubscribe = asks.subscribe((event) => this.#record(event));
  }

  /** The gates that this side's person has chosen for this tunnel, as they are now. */
  get gates(): readonly ChosenGate[] {
    return [...this.#gates];
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Messages of this side that wait for a person. */
  get heldOut(): number {
    return this.#outbound.held;
  }

  /** Entries of the room that the agent has not been told yet. */
  get heldIn(): number {
    return this.#inbound.waiting;
  }

  /** Why this side's agent may say nothing more. */
  get stopped(): HoldReason | undefined {
    return this.#bounds?.held(this.#now);
  }

  get gauges(): Gauges | undefined {
    return this.#bounds?.gauges(this.#now);
  }

  /** @throws {TunnelError} as {@link Outbound.submit} */
  submit(outgoing: Outgoing<Sent>, author: "agent" | "human"): Promise<Sent | Held> {
    return (author === "human" ? this.#byHand : this.#outbound).submit(outgoing);
  }

  /** As an earlier process of this side left it: nobody is told, and nothing of it is a new decision. */
  restore({ modes, audit, bounds }: KeptSupervision): void {
    this.audit.restore(audit);
    this.#overseer.asks.recall(this.#tunnelId, this.audit);
    if (bounds !== undefined) this.#bounds?.restore(bounds);
    if (modes !== undefined) this.#restoreModes(modes);
  }

  #restoreModes({ isPaused, gates }: NonNullable<KeptSupervision["modes"]>): void {
    this.#isPaused = isPaused;
    const isHold = (gate: Gate): boolean => gate === "hold-out" || gate === "hold-in";
    // What the settings demand now holds as well; a person may have ended a hold that they demand.
    const demanded = this.#overseer.settings.gates.filter((gate) => !isHold(gate));
    this.#gates = new Set([...demanded, ...CHOSEN_GATES.filter((gate) => gates.includes(gate))]);
  }

  /**
   * An entry that an earlier process of this side had heard: it counts as of its own time.
   * @param isRead its agent has read it: nobody is asked about it any more
   */
  recall(entry: Entry, isRead: boolean): void {
    if (entry.kind !== "system" && entry.past !== true)
      this.#bounds?.recalled(this.#saidAs(entry, Math.min(entry.ts, this.#now)), entry.seq);
    if (entry.kind === "system" && entry.event === "left") this.#bounds?.left(entry.name);
    if (isRead) this.#ports.deliver(entry);
    else this.#inbound.heard({ entry, question: questionOf(entry) });
  }

  /** Something has happened in the room, own words included. */
  heard(entry: Entry): void {
    // What was said before this side came was none of its agent's talk.
    if (entry.kind !== "system" && entry.past !== true) this.#count(entry);
    if (entry.kind === "system" && entry.event === "left") this.#bounds?.left(entry.name);
    this.#inbound.heard({ entry, question: questionOf(entry) });
    this.#tell();
  }

  /**
   * Whether somebody with this invite may come in under this name; else a person is asked, once. Whoever is refused finds the
   * invite revoked.
   */
  mayEnter(inviteId: string, name: string): "now" | "asked" {
    const key = `${inviteId} ${name}`;
    if (!this.#gates.has("new-member") || this.#admitted.has(key)) return "now";
    if (this.#asking.has(key)) return "asked";
    const ask = this.#overseer.asks.open({
      tunnelId: this.#tunnelId,
      gates: ["new-member"],
      subject: { kind: "member", name, inviteId },
      causer: { member: inviteId },
      settle: (outcome) => {
        this.#asking.delete(key);
        if (outcome.state === "approved") this.#admitted.add(key);
        if (outcome.state === "refused") this.#ports.revoke(inviteId);
      },
    });
    if (ask !== undefined) this.#asking.add(key);
    return "asked";
  }

  /**
   * Whether this side's agent may make these links for observers now; else a person is asked, once. One yes makes these links once.
   * @returns the number of the ask, where it waits @throws {TunnelError} asks-crowded
   */
  mayInviteObservers(links: ObserverLinks): "now" | Held {
    const gates = this.#overseer.closed(["observer"]);
    const [gate] = gates;
    if (gate === undefined) return "now";
    const key = JSON.stringify([links.links, links.history, links.minutes]);
    const known = this.#observers.get(key);
    if (known === "allowed") {
      this.#observers.delete(key);
      // Before the links are made: one yes must not make them twice.
      this.#linksOver(key);
      return "now";
    }
    const askId = known?.askId ?? this.#askAboutObservers(key, gate, links);
    return { status: "held", askId, why: { reason: "gates", gates } };
  }

  /** The links for observers that a person has allowed, and nobody has made. */
  get allowedObservers(): readonly string[] {
    return [...this.#observers].flatMap(([key, state]) => (state === "allowed" ? [key] : []));
  }

  /** @throws {TunnelError} asks-crowded */
  #askAboutObservers(key: string, gate: Gate, links: ObserverLinks): number {
    const ask = this.#overseer.asks.open({
      tunnelId: this.#tunnelId,
      gates: [gate],
      subject: { kind: "observer", ...links },
      causer: "own-agent",
      settle: (outcome) => {
        const asked = this.#observers.get(key);
        if (outcome.state === "approved") this.#observers.set(key, "allowed");
        else this.#observers.delete(key);
        if (outcome.state !== "approved") this.#linksOver(key);
        const askId = typeof asked === "object" ? asked.askId : undefined;
        this.#ports.onNews({ type: "released", released: { askId, outcome, result: undefined } });
      },
    });
    if (ask === undefined) throw new TunnelError("asks-crowded");
    this.#observers.set(key, { askId: ask.id });
    const no = this.#ports.keep?.heldLinks({ ...links, askId: ask.id });
    if (no !== undefined) this.#keptLinks.set(key, no);
    return ask.id;
  }

  #linksOver(key: string): void {
    const no = this.#keptLinks.get(key);
    this.#keptLinks.delete(key);
    // The end of the process is no end of the question.
    if (no !== undefined && !this.#isOver) this.#ports.keep?.released(no);
  }

  /** Nothing leaves, and the agent is told nothing, until {@link resume} (H25). */
  pause(by: Decider): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#changed("pause", by);
  }

  resume(by: Decider): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#changed("resume", by);
    this.#look();
  }

  /** A person wants to see each message, or no longer. What waits for that alone goes. */
  hold(mode: "out" | "in" | "off", by: Decider): void {
    if (mode !== "off") {
      const gate = mode === "out" ? "hold-out" : "hold-in";
      this.#gates = new Set([...this.#gates, gate]);
      return this.#changed(gate, by);
    }
    this.#gates = new Set([...this.#gates].filter((gate) => gate !== "hold-out" && gate !== "hold-in"));
    this.#changed("hold-off", by);
    const { asks } = this.#overseer;
    const isFree = (gate: Gate): boolean => gate === "hold-out" || gate === "hold-in";
    for (const ask of asks.waiting)
      if (ask.tunnelId === this.#tunnelId && ask.gates.every(isFree))
        asks.decide(ask.id, ask.digest, { verdict: "approve" }, by);
    this.#look();
  }

  /** A person lets the agents go on: budgets and the guard begin anew (H24). */
  goOn(by: Decider): void {
    this.#changed("go-on", by);
    const { asks } = this.#overseer;
    for (const ask of asks.waiting)
      if (ask.tunnelId === this.#tunnelId && ask.gates.every((gate) => gate === "budget"))
        asks.decide(ask.id, ask.digest, { verdict: "approve" }, by);
    this.#bounds?.renew(this.#now);
    this.#look();
  }

  /** What an earlier process had asked under this number is not asked again. */
  forgo(askId: number): void {
    const [digest] = [...this.audit.open].find(([, ask]) => ask === askId) ?? [];
    if (digest !== undefined)
      this.audit.add({ at: this.#now, kind: "decided", ask: askId, digest, outcome: "withdrawn" });
  }

  /** A person has done something that belongs into the audit. */
  acted(mode: Mode, by: Decider): void {
    this.audit.add({ at: this.#now, kind: "mode", mode, by: by.path });
  }

  /** The tunnel is over. What was held is not sent. What came in is delivered, but for what a person wanted to see before. */
  end(): void {
    this.#isOver = true;
    this.#outbound.end();
    this.#byHand.end();
    this.#isPaused = false;
    this.#overseer.asks.withdrawAll(this.#tunnelId, "ended");
    this.#inbound.end();
    this.#unsubscribe();
  }

  /** The process ends, and a later one goes on: whatever waits is no less asked, and nothing of this is a decision. */
  leave(): void {
    this.#unsubscribe();
    this.end();
  }

  get #now(): number {
    return this.#overseer.clock.now();
  }

  #standing(): readonly Gate[] {
    const gates: Gate[] = this.#gates.has("hold-out") ? ["hold-out"] : [];
    if (this.stopped !== undefined) gates.push("budget");
    return this.#overseer.closed(gates);
  }

  #approved(gates: readonly Gate[]): void {
    if (gates.includes("budget")) this.#bounds?.renew(this.#now);
    this.#tell();
  }

  #count(entry: SpokenEntry): void {
    const warnings = this.#bounds?.heard(this.#saidAs(entry, this.#now), entry.seq);
    if (warnings === undefined || warnings.length === 0) return;
    this.#ports.onNews({ type: "budget-warning", budgets: warnings });
    this.#overseer.warn(this.#tunnelId, warnings);
  }

  #saidAs(entry: SpokenEntry, at: number): Said {
    const text = wordsOf(entry, " ");
    return {
      at,
      from: entry.fromName,
      isOwn: entry.own,
      to: entry.to,
      isHuman: entry.author === "human",
      text,
      bytes: entry.kind === "file" ? entry.offer.size : utf8Length(text),
      isFile: entry.kind === "file",
    };
  }

  #look(): void {
    this.#outbound.look();
    this.#inbound.look();
    this.#tell();
  }

  #changed(mode: Mode, by: Decider): void {
    this.acted(mode, by);
    this.#ports.onNews({ type: "mode", mode });
    this.#tell();
  }

  /** The others learn of a change, and of budgets in steps that are worth a note. */
  #tell(): void {
    const state = this.#isPaused ? "paused" : this.stopped === undefined ? "free" : "held";
    const { gauges } = this;
    const now: Oversight = gauges === undefined ? { state } : { state, budgets: gauges };
    if (state === this.#told.state && !isStep(this.#told, now)) return;
    this.#told = now;
    this.#ports.tell(now);
  }

  #record(event: AskEvent): void {
    if (event.type === "crowded" || event.ask.tunnelId !== this.#tunnelId) return;
    const { ask } = event;
    // Asked again by a later process under its number: it is still one question.
    if (event.type === "asked" && this.audit.open.get(ask.digest) === ask.id) return;
    const record = event.type === "asked" ? askedRecord(ask) : decidedRecord(ask);
    if (record !== undefined) this.audit.add(record);
  }
}

function isStep(told: Oversight, now: Oversight): boolean {
  if (now.budgets === undefined) return false;
  if (told.budgets === undefined) return true;
  const before = told.budgets;
  return (["messages", "bytes", "files", "minutes"] as const).some((name) => {
    const { used, limit } = now.budgets?.[name] ?? { used: 0, limit: 1 };
    return Math.abs(used - before[name].used) >= limit * TOLD_STEP;
  });
}

/** A person is asked about what others say, where they want to be. */
function questionOf(entry: Entry): Incoming<Entry>["question"] {
  if (entry.kind === "system" || entry.own) return undefined;
  const text = wordsOf(entry, "\n");
  const { seq, fromName, from } = entry;
  return { subject: { kind: "incoming", seq, fromName, text }, causer: { member: from } };
}

/** All words of its sender in an entry. */
function wordsOf(entry: SpokenEntry, between: string): string {
  switch (entry.kind) {
    case "chat":
      return entry.text;
    case "file":
    case "service":
      return [entry.offer.name, entry.offer.note].filter(Boolean).join(between);
    case "proposal":
      return entry.outcome;
    case "statement":
      return entry.statement.reason ?? "";
    case "withdrawal":
      return "";
  }
}
