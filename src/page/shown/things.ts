import type { ListenerView, OwnServiceView, ServicesView } from "../../view/services.ts";
import type { ExposureView } from "../../view/expose/exposures.ts";
import type { RequestView } from "../../view/expose/exposure-requests.ts";
import type { WatchEvent } from "../../watch/protocol.ts";
import type { Part, Thing } from "../model.ts";
import { alone, name, oneLine, plural, size } from "./labels.ts";

/** Words for everything that is open. Times are in ms since the epoch. */

/** The last lines about a thing, by its key, the newest last. */
export type Traffic = ReadonlyMap<string, readonly string[]>;

const until = (now: number, seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : now + seconds * 1_000;

const isFull = ({ things }: Part): boolean => things.length > 0;

export function servicesShown(
  tunnelId: string,
  { offered, listeners, toYou }: ServicesView,
  { traffic, now }: { readonly traffic: Traffic; readonly now: number },
): readonly Part[] {
  const stop = (service: string, label: string, what: string, done: string) => ({
    label,
    what,
    command: { do: "stop-service" as const, tunnelId, service },
    done,
  });
  const log = (key: string): readonly string[] => traffic.get(key) ?? [];
  const own = offered
    .filter(({ status }) => status !== "over")
    .map((one) => ({
      ...ownService(one, now),
      log: log(one.serviceId),
      stop: stop(one.serviceId, "Withdraw", name(one.name), "It is no longer offered."),
    }));
  const used = listeners.map((one) => ({
    ...listener(one, now),
    log: log(one.serviceId),
    stop: stop(one.serviceId, "Disconnect", name(one.name), "It is no longer on this machine."),
  }));
  const theirs = toYou.map((one) => ({
    key: one.serviceId,
    name: name(one.name),
    code: undefined,
    lines: [`${one.service} of ${name(one.fromName)}, not used here`],
    log: [],
    until: until(now, one.expiresInSec),
    isHeld: false,
    stop: undefined,
  }));
  return [
    { title: "Open to them", things: own },
    { title: "Theirs, on this machine", things: used },
    { title: "Offered to you", things: theirs },
  ].filter(isFull);
}

type Bare = Omit<Thing, "stop" | "log">;

function ownService(one: OwnServiceView, now: number): Bare {
  const { serviceId, target, service, readOnly, open, connections, bytesIn, bytesOut, to } = one;
  const calls = one.calls === undefined ? [] : [`${plural(one.calls.count, "call")} of its tools`];
  return {
    key: serviceId,
    name: name(one.name),
    code: oneLine(target),
    lines: [
      `${service}${readOnly === true ? ", read only" : ""}${alone(to)}${one.status === "held" ? " · waits for you" : ""}`,
      ...(connections === 0
        ? []
        : [`${plural(connections, "connection")}, ${open} now · ${size(bytesOut)} out, ${size(bytesIn)} in`]),
      ...calls,
    ],
    until: until(now, one.expiresInSec),
    isHeld: one.status === "held",
  };
}

function listener(one: ListenerView, now: number): Bare {
  const { serviceId, host, port, fromName, status, open, bytesIn, bytesOut, trouble } = one;
  return {
    key: serviceId,
    name: name(one.name),
    code: `${host}:${port}`,
    lines: [
      `of ${name(fromName)} · ${status === "away" ? "cut off with its owner" : `${plural(open, "connection")} now`}`,
      ...(trouble === undefined ? [] : [`the last was refused: ${oneLine(trouble)}`]),
      `${size(bytesIn)} in, ${size(bytesOut)} out`,
    ],
    until: until(now, one.expiresInSec),
    isHeld: status === "away",
  };
}

const STATES: Readonly<Record<ExposureView["status"], string>> = {
  checking: "being looked at",
  held: "waits for you",
  opening: "being opened",
  running: "open",
  lost: "its address is lost; another one is being opened",
  failed: "failed",
  over: "over",
};

/** @param log of its visits @param now when it was told */
export function exposureShown(view: ExposureView, log: readonly string[], now: number): Thing {
  const { exposureId, target, publicUrl, status, requests, problem } = view;
  return {
    key: exposureId,
    name: name(view.name),
    code: oneLine(target),
    lines: [
      publicUrl === undefined ? "no address yet" : oneLine(publicUrl),
      `${STATES[status]} · ${plural(requests, "visit")}`,
      ...(problem === undefined ? [] : [`${problem.message}. ${problem.next}`]),
    ],
    log,
    until: until(now, view.expiresInSec),
    isHeld: status !== "running",
    stop: {
      label: "Stop",
      what: name(view.name),
      command: { do: "stop-exposure", exposure: exposureId },
      done: "Its public address is gone.",
    },
  };
}

/** A request to an exposure that is over. Methods and paths are strangers' text. */
export function visitText({ method, path, status, way, refused }: RequestView): string {
  const how = refused === undefined ? (way === undefined ? "" : `, by ${way}`) : ", kept out";
  return `${oneLine(method)} ${oneLine(path).slice(0, 120)} ${status ?? "no answer"}${how}`;
}

/** A connection that has begun or ended, or a call of an MCP server. */
export function trafficText(event: Extract<WatchEvent, { t: "connection" | "call" }>): string {
  if (event.t === "call") {
    const { method, name: called, end } = event.call;
    const what = called === undefined ? oneLine(method) : `${oneLine(method)} ${oneLine(called)}`;
    return `${name(event.memberName)}: ${what} (${end})`;
  }
  const { change, side, memberName, bytesIn, bytesOut } = event;
  const who = side === "offered" ? name(memberName) : "this machine";
  if (change === "opened") return `${who} has connected`;
  return `${who} is done: ${size(bytesIn)} in, ${size(bytesOut)} out`;
}
