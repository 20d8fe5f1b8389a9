import { batch, signal } from "./signal.ts";
import type { AlarmShown, AskShown, EntryShown, PageEvent, PageTold, Part, TunnelShown } from "../model.ts";
import type { NumberedLine, PageLine } from "../lines.ts";
import type { Line, Locked } from "./link.ts";
import { say } from "./word.ts";

/** All that is known here, with the server that told it. */
export interface Tunnel {
  readonly key: string;
  readonly server: string;
  readonly view: TunnelShown;
}
export interface Ask {
  readonly key: string;
  readonly server: string;
  readonly view: AskShown;
}
interface Parts {
  readonly server: string;
  /** Undefined for what belongs to no tunnel. */
  readonly tunnelId: string | undefined;
  readonly parts: readonly Part[];
}
export interface Log {
  readonly entries: readonly EntryShown[];
  /** There may be more before them. */
  readonly hasEarlier: boolean;
  /** A person has asked for earlier ones, so that nothing is let go. */
  readonly isLong: boolean;
}
interface Alarm extends AlarmShown {
  readonly id: number;
}

export interface World {
  readonly tunnels: ReadonlyMap<string, Tunnel>;
  /** The oldest first. */
  readonly asks: readonly Ask[];
  readonly parts: ReadonlyMap<string, Parts>;
}

/** Entries that are drawn unless a person asks for more. */
const DRAWN = 500;
const ALARMS = 8;

const NOTHING: World = { tunnels: new Map(), asks: [], parts: new Map() };
export const world = signal<World>(NOTHING);
export const logs = signal<ReadonlyMap<string, Log>>(new Map());
export const alarms = signal<readonly Alarm[]>([]);
export const stands = signal<{
  readonly line: Line;
  readonly why?: Locked | undefined;
  readonly since: number;
}>({ line: "opening", since: Date.now() });
/** All that was there when the page came has been drawn: what comes now is news. */
export const isCaughtUp = signal(false);
export const chosen = signal<string | undefined>(undefined);
/** The part that a narrow screen shows; undefined until it is chosen. */
export const shownPart = signal<"said" | "wait" | "room" | undefined>(undefined);
export const dialog = signal<
  | { readonly name: "end" | "audit" | "help" }
  | { readonly name: "kick"; readonly member: string; readonly label: string }
  | { readonly name: "look"; readonly title: string; readonly told: Promise<PageTold | string> }
  | undefined
>(undefined);
/** Somebody looks who only reads along: nothing can be done here. */
export const observing = signal(false);
/** Ticks, for times that are left; by the clock of the program that serves the page. */
export const now = signal(Date.now());

let last: number | undefined;
let nextAlarm = 1;
/** The clock of the program that serves the page, ahead of this one. */
let ahead = 0;

export const lastLine = (): number | undefined => last;
/** The time by the clock of the program that serves the page. */
export const time = (): number => Date.now() + ahead;

const keyOf = (server: string, id: string | number): string => `${server}/${id}`;

/** The tunnel that is shown: the one that was chosen, or else the first that is open. */
export function shownTunnel(): Tunnel | undefined {
  const { tunnels } = world.value;
  const wanted = chosen.value === undefined ? undefined : tunnels.get(chosen.value);
  if (wanted !== undefined) return wanted;
  const all = [...tunnels.values()];
  return all.find(({ view }) => view.over === undefined) ?? all.at(-1);
}

/** The goal, and whose side it is where somebody is at both: their two servers show the same room. */
export function labelOf({ view }: Tunnel): string {
  const alike = [...world.value.tunnels.values()].filter((one) => one.view.goal === view.goal);
  const self = view.members.find(({ isOwn }) => isOwn);
  return alike.length < 2 || self === undefined ? view.goal : `${view.goal} · as ${self.name}`;
}

/** How many things wait for this person: what is asked, and outcomes that they can sign. */
export function waiting(): number {
  const { asks, tunnels } = world.value;
  const toSign = [...tunnels.values()].filter(
    ({ view }) => view.over === undefined && view.signOff?.isOpen === true,
  );
  return asks.length + toSign.length;
}

export function roomOf({ server, view }: Ask): Tunnel | undefined {
  return world.value.tunnels.get(keyOf(server, view.tunnelId));
}

/** Everything that is open: of this tunnel, and of none. */
export function partsOf(tunnel: Tunnel): readonly { readonly server: string; readonly part: Part }[] {
  return [...world.value.parts.values()]
    .filter(
      (one) =>
        one.tunnelId === undefined || (one.server === tunnel.server && one.tunnelId === tunnel.view.tunnelId),
    )
    .flatMap(({ server, parts }) => parts.map((part) => ({ server, part })));
}

function alarm(kind: Alarm["kind"], text: string): void {
  if (alarms.value.some((one) => one.text === text)) return;
  alarms.value = [...alarms.value, { id: nextAlarm++, kind, text }].slice(-ALARMS);
}

export function readAlarm(id: number): void {
  alarms.value = alarms.value.filter((one) => one.id !== id);
}

interface Draft {
  readonly tunnels: Map<string, Tunnel>;
  readonly asks: Map<string, Ask>;
  readonly parts: Map<string, Parts>;
  /** New entries by tunnel. */
  readonly fresh: Map<string, EntryShown[]>;
  readonly goneLogs: Set<string>;
}

/** Takes in what was told in one go, and draws once. */
export function hear(lines: readonly PageLine[]): void {
  batch(() => heard(lines));
}

function heard(lines: readonly PageLine[]): void {
  const isWhole = lines.some((line) => line.t === "begin" && line.whole);
  const before = isWhole ? NOTHING : world.value;
  const draft: Draft = {
    tunnels: new Map(before.tunnels),
    asks: new Map(before.asks.map((ask) => [ask.key, ask])),
    parts: new Map(before.parts),
    fresh: new Map(),
    goneLogs: new Set(),
  };
  if (isWhole) isCaughtUp.value = false;
  for (const line of lines) hearLine(draft, line);
  const { tunnels, asks, parts } = draft;
  world.value = {
    tunnels,
    parts,
    asks: [...asks.values()].toSorted((a, b) => a.view.askedAt - b.view.askedAt),
  };
  if (isWhole || draft.fresh.size > 0 || draft.goneLogs.size > 0) logs.value = grown(draft, isWhole);
  if (!lines.some(({ t }) => t === "caught-up")) return;
  isCaughtUp.value = true;
  // Fixed from here on: what comes later takes no screen away from who reads or writes.
  shownPart.value ??= waiting() > 0 ? "wait" : "said";
}

function hearLine(draft: Draft, line: PageLine): void {
  switch (line.t) {
    case "begin":
      ahead = line.now - Date.now();
      stands.value = { line: "live", since: time() };
      observing.value = line.observer === true;
      if (line.whole) last = line.n;
      return;
    case "caught-up":
    case "pulse":
    case "moved":
      return;
    default:
      last = Math.max(last ?? 0, line.n);
      hearNumbered(draft, line);
  }
}

function hearNumbered(draft: Draft, line: NumberedLine): void {
  switch (line.t) {
    case "told":
      return told(draft, line.server, line.event);
    case "gone":
      for (const map of [draft.tunnels, draft.parts, draft.asks])
        for (const [key, { server }] of map) if (server === line.server) map.delete(key);
      draft.goneLogs.add(line.server);
      return;
    case "alarm":
      return alarm(line.kind, line.text);
  }
}

function unheard(before: Tunnel | undefined, { alarms: all }: TunnelShown): readonly string[] {
  return all.filter((text) => before?.view.alarms.includes(text) !== true);
}

function told(draft: Draft, server: string, event: PageEvent): void {
  switch (event.t) {
    case "tunnel": {
      const key = keyOf(server, event.tunnel.tunnelId);
      for (const text of unheard(draft.tunnels.get(key), event.tunnel)) alarm("stop", text);
      return void draft.tunnels.set(key, { key, server, view: event.tunnel });
    }
    case "parts": {
      const { of, tunnelId, parts } = event;
      return void draft.parts.set(keyOf(server, of), { server, tunnelId, parts });
    }
    case "ask": {
      const key = keyOf(server, event.ask.ask);
      const { end } = event.ask;
      if (end !== undefined) {
        if (draft.asks.delete(key)) say(end);
        return;
      }
      return void draft.asks.set(key, { key, server, view: event.ask });
    }
    case "entry": {
      const key = keyOf(server, event.entry.tunnelId);
      const fresh = draft.fresh.get(key) ?? [];
      fresh.push(event.entry);
      return void draft.fresh.set(key, fresh);
    }
    case "news":
      return news(event);
  }
}

function news({ text, passes, face }: Extract<PageEvent, { t: "news" }>): void {
  // Views that came before this page did are no news of it, and what has passed by then is none either.
  const isOld = !isCaughtUp.value;
  if (isOld && (passes === true || face !== undefined)) return;
  if (passes === true) say(text);
  else alarm("look", text);
}

function grown({ fresh, goneLogs }: Draft, isWhole: boolean): ReadonlyMap<string, Log> {
  const all = new Map(isWhole ? [] : logs.value);
  for (const key of all.keys()) if (goneLogs.has(key.slice(0, key.indexOf("/")))) all.delete(key);
  for (const [key, more] of fresh) {
    const log = all.get(key) ?? { entries: [], hasEarlier: true, isLong: false };
    const lastAt = log.entries.at(-1)?.at ?? 0;
    const joined = [...log.entries, ...more.filter(({ at }) => at > lastAt)];
    const entries = log.isLong ? joined : joined.slice(-DRAWN);
    all.set(key, { ...log, entries, hasEarlier: (entries[0]?.at ?? 1) > 1 && log.hasEarlier });
  }
  return all;
}

function change(key: string, by: (log: Log) => Log): void {
  const log = logs.value.get(key);
  if (log !== undefined) logs.value = new Map(logs.value).set(key, by(log));
}

/** Earlier entries, which a person has asked for. */
export function heardEarlier(key: string, entries: readonly EntryShown[], hasEarlier: boolean): void {
  change(key, (log) => {
    const first = log.entries[0]?.at ?? Number.POSITIVE_INFINITY;
    const before = entries.filter(({ at }) => at < first);
    return { entries: [...before, ...log.entries], hasEarlier, isLong: true };
  });
}

/** A person has gone back to the end: what they had asked for is let go. */
export function shorten(key: string): void {
  const { isLong = false, entries = [] } = logs.value.get(key) ?? {};
  if (isLong && entries.length > DRAWN)
    change(key, (log) => ({ entries: log.entries.slice(-DRAWN), hasEarlier: true, isLong: false }));
}
