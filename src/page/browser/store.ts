import { signal } from "@preact/signals";
import type { ExposureView } from "../../view/expose/exposures.ts";
import type { ServicesView } from "../../view/services.ts";
import type { AskView, TunnelView, WatchedEntry } from "../../watch/protocol.ts";
import type { NumberedLine, PageEvent, PageLine } from "../lines.ts";
import type { Line, Locked } from "./link.ts";

/** What is known here. Each thing has the server that told it, and when it did so by this page's clock. */
interface Known {
  readonly server: string;
  readonly toldAt: number;
}
export type Tunnel = Known & { readonly key: string; readonly view: TunnelView };
export type Ask = Known & { readonly key: string; readonly view: AskView };
export type Exposure = Known & { readonly view: ExposureView };
export type Services = Known & { readonly tunnelId: string; readonly view: ServicesView };
export interface Log {
  readonly entries: readonly WatchedEntry[];
  /** There may be more before them. */
  readonly hasEarlier: boolean;
  /** A person has asked for earlier ones, so that nothing is let go. */
  readonly isLong: boolean;
}
/** Something that a person has to read before it goes. */
export interface Alarm {
  readonly id: number;
  readonly kind: "stop" | "look";
  readonly text: string;
}

export interface World {
  readonly tunnels: ReadonlyMap<string, Tunnel>;
  readonly asks: readonly Ask[];
  readonly exposures: ReadonlyMap<string, Exposure>;
  readonly services: ReadonlyMap<string, Services>;
}

/** Entries that are drawn unless a person asks for more. */
export const DRAWN = 500;

const NOTHING: World = { tunnels: new Map(), asks: [], exposures: new Map(), services: new Map() };
export const world = signal<World>(NOTHING);
export const logs = signal<ReadonlyMap<string, Log>>(new Map());
export const alarms = signal<readonly Alarm[]>([]);
export const stands = signal<{
  readonly line: Line;
  readonly why?: Locked | undefined;
  readonly since: number;
}>({
  line: "opening",
  since: Date.now(),
});
/** All that was there when the page came has been drawn: what comes now is news. */
export const isCaughtUp = signal(false);
export const chosen = signal<string | undefined>(undefined);
export const dialog = signal<
  | { readonly name: "end" | "audit" | "help" }
  | { readonly name: "kick"; readonly member: string; readonly label: string }
  | undefined
>(undefined);
/** Whoever looks only reads along: nothing can be done here. */
export const observing = signal(false);
/** Ticks, for times that are left. */
export const now = signal(Date.now());

let last: number | undefined;
let nextAlarm = 1;
/** The clock of the program that serves the page, ahead of this one. */
let ahead = 0;
const crowded = new Set<string>();

export const lastLine = (): number | undefined => last;

export const keyOf = (server: string, id: string | number): string => `${server}/${id}`;

/** The tunnel that is shown: the one that was chosen, or else the first that is open. */
export function shownTunnel(): Tunnel | undefined {
  const { tunnels } = world.value;
  const wanted = chosen.value === undefined ? undefined : tunnels.get(chosen.value);
  if (wanted !== undefined) return wanted;
  const all = [...tunnels.values()];
  return all.find(({ view }) => view.ended === undefined) ?? all.at(-1);
}

export function alarm(kind: Alarm["kind"], text: string): void {
  if (alarms.value.some((one) => one.text === text)) return;
  alarms.value = [...alarms.value.slice(-7), { id: nextAlarm, kind, text }];
  nextAlarm += 1;
}

export function readAlarm(id: number): void {
  alarms.value = alarms.value.filter((one) => one.id !== id);
}

interface Draft {
  readonly tunnels: Map<string, Tunnel>;
  readonly asks: Map<string, Ask>;
  readonly exposures: Map<string, Exposure>;
  readonly services: Map<string, Services>;
  /** New entries by tunnel. */
  readonly fresh: Map<string, WatchedEntry[]>;
  readonly goneLogs: Set<string>;
}

/** Takes in what was told in one go, and draws once. */
export function hear(lines: readonly PageLine[]): void {
  const isWhole = lines.some((line) => line.t === "begin" && line.whole);
  const before = isWhole ? NOTHING : world.value;
  const draft: Draft = {
    tunnels: new Map(before.tunnels),
    asks: new Map(before.asks.map((ask) => [ask.key, ask])),
    exposures: new Map(before.exposures),
    services: new Map(before.services),
    fresh: new Map(),
    goneLogs: new Set(),
  };
  if (isWhole) isCaughtUp.value = false;
  for (const line of lines) hearLine(draft, line);
  const { tunnels, asks, exposures, services } = draft;
  const waiting = [...asks.values()].toSorted((a, b) => (a.view.askedAt < b.view.askedAt ? -1 : 1));
  world.value = { tunnels, exposures, services, asks: waiting };
  if (isWhole || draft.fresh.size > 0 || draft.goneLogs.size > 0) logs.value = grown(draft, isWhole);
  if (lines.some(({ t }) => t === "caught-up")) isCaughtUp.value = true;
}

function hearLine(draft: Draft, line: PageLine): void {
  switch (line.t) {
    case "begin":
      ahead = line.now - Date.now();
      stands.value = { line: "live", since: Date.now() };
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
      return told(draft, line.server, line.event, line.ts - ahead);
    case "gone":
      for (const map of [draft.tunnels, draft.exposures, draft.services, draft.asks])
        for (const [key, { server }] of map) if (server === line.server) map.delete(key);
      draft.goneLogs.add(line.server);
      return;
    case "other-version":
      return alarm(
        "look",
        `A server of yours runs version ${line.version}: restart its client, so that it is shown here.`,
      );
    case "alarm":
      return alarm(
        "stop",
        "An address of this page was used twice, so somebody else may have seen it. Whatever it let in is shut out. Look through the decisions below.",
      );
  }
}

function told(draft: Draft, server: string, event: PageEvent, toldAt: number): void {
  switch (event.t) {
    case "tunnel": {
      const key = keyOf(server, event.tunnel.tunnelId);
      return void draft.tunnels.set(key, { key, server, toldAt, view: event.tunnel });
    }
    case "exposure": {
      const { exposureId, status } = event.exposure;
      const key = keyOf(server, exposureId);
      if (status === "over" || status === "failed") return void draft.exposures.delete(key);
      return void draft.exposures.set(key, { server, toldAt, view: event.exposure });
    }
    case "services": {
      const { tunnelId, services: view } = event;
      const key = keyOf(server, tunnelId);
      if (view === undefined) return void draft.services.delete(key);
      return void draft.services.set(key, { server, toldAt, tunnelId, view });
    }
    case "ask": {
      const key = keyOf(server, event.ask.ask);
      if (event.ask.state !== "waiting") return void draft.asks.delete(key);
      return void draft.asks.set(key, { key, server, toldAt, view: event.ask });
    }
    case "entry": {
      const key = keyOf(server, event.tunnelId);
      const fresh = draft.fresh.get(key) ?? [];
      fresh.push(event);
      return void draft.fresh.set(key, fresh);
    }
    case "visit":
      return visited(draft, server, event);
    default:
      news(server, event);
  }
}

/** Counts as the server does: those that were let in. */
function visited(
  { exposures }: Draft,
  server: string,
  { name, request }: Extract<PageEvent, { t: "visit" }>,
): void {
  if (request.way === undefined || request.way === "probe") return;
  for (const [key, one] of exposures)
    if (one.server === server && one.view.name === name)
      exposures.set(key, { ...one, view: { ...one.view, requests: one.view.requests + 1 } });
}

function news(server: string, event: PageEvent): void {
  switch (event.t) {
    case "faces":
      if (event.change === "opened" && isCaughtUp.value)
        alarm(
          "look",
          `${event.face === "page" ? "Another page" : "A view in a terminal"} was opened on your tunnels. If it was not you, end it there, or end the tunnel.`,
        );
      return;
    case "warning":
      return alarm("look", `Four fifths are used: ${event.budgets.join(", ")}.`);
    case "crowded": {
      const key = keyOf(server, event.tunnelId);
      if (!crowded.has(key))
        alarm("look", "More is asked than is shown here: the rest comes when you have decided some of it.");
      return void crowded.add(key);
    }
    default:
  }
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

/** Earlier entries, which a person has asked for. */
export function heardEarlier(key: string, entries: readonly WatchedEntry[], hasEarlier: boolean): void {
  const log = logs.value.get(key);
  if (log === undefined) return;
  const first = log.entries[0]?.at ?? Number.POSITIVE_INFINITY;
  const before = entries.filter(({ at }) => at < first);
  const all = new Map(logs.value);
  all.set(key, { entries: [...before, ...log.entries], hasEarlier, isLong: true });
  logs.value = all;
}

/** A person has gone back to the end: what they had asked for is let go. */
export function shorten(key: string): void {
  const log = logs.value.get(key);
  if (log === undefined || !log.isLong || log.entries.length <= DRAWN) return;
  const all = new Map(logs.value);
  all.set(key, { entries: log.entries.slice(-DRAWN), hasEarlier: true, isLong: false });
  logs.value = all;
}
