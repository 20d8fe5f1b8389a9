import { sizeText } from "../../view/files.ts";
import type { ListenerView, OwnServiceView, ServicesView } from "../../view/services.ts";
import { seconds } from "../../view/time.ts";
import type { WatchEvent } from "../../watch/protocol.ts";
import { servicesLines, withTimeLeft } from "../chat/terminal/service-lines.ts";
import { safeLabel, safeName, withGutter } from "../chat/terminal/safe-text.ts";
import type { ToldServices } from "./board.ts";
import type { LineStyle } from "./lines.ts";

/** The services of one tunnel, for `services`. @param now ms since the epoch */
export function toldServicesLines(
  { tunnelId, services, toldAt }: ToldServices,
  now: number,
  style: LineStyle,
): string {
  const view = withTimeLeft(services, seconds(now - toldAt));
  const rows = servicesLines(view, {
    heads: {
      offered: "offered by you (withdraw SERVICE):",
      listeners: "used on this machine (disconnect SERVICE):",
      toYou: "offered by others:",
    },
    label: (serviceId) => safeLabel(serviceId),
  });
  return [
    style.paint.bold(`[${tunnelId}] services`),
    ...rows.map((row) => withGutter("", row, style.columns)),
  ].join("\n");
}

const OVER: Readonly<Record<string, string>> = {
  withdrawn: "it was withdrawn",
  expired: "its time is over",
  "not-offered": "it was not let go",
  "tunnel-over": "the tunnel is over",
};

/** Changes of services between two times at which they were told. Offers of others are entries of the room. */
export function servicesNews(before: ServicesView | undefined, now: ServicesView | undefined): string[] {
  return [
    ...(now?.offered ?? []).flatMap((own) => ownNews(before?.offered.find(isSame(own)), own)),
    ...(now?.listeners ?? []).flatMap((one) => listenerNews(before?.listeners.find(isSame(one)), one)),
    ...(before?.listeners ?? []).flatMap((one) =>
      now?.listeners.some(isSame(one)) === true
        ? []
        : [`${safeName(one.name)} of ${safeName(one.fromName)} is no longer on this machine`],
    ),
  ];
}

function isSame({ serviceId }: { readonly serviceId: string }) {
  return (other: { readonly serviceId: string }): boolean => other.serviceId === serviceId;
}

function ownNews(
  before: OwnServiceView | undefined,
  { name, status, why, target }: OwnServiceView,
): string[] {
  if (before?.status === status) return [];
  const what = `${safeName(name)} (${safeLabel(target)})`;
  switch (status) {
    case "held":
    case "offered":
      // An ask and an entry of the room say so.
      return [];
    case "over":
      // One that was over before this view came is no news.
      return before === undefined
        ? []
        : [`${what} is no longer offered: ${OVER[why ?? ""] ?? "it has ended"}`];
  }
}

function listenerNews(before: ListenerView | undefined, now: ListenerView): string[] {
  const whose = `${safeName(now.name)} of ${safeName(now.fromName)}`;
  if (before === undefined) return [`${whose} is on this machine now: ${now.host}:${now.port}`];
  if (before.status === now.status) return [];
  return [now.status === "away" ? `${whose} is cut off with its owner` : `${whose} is reachable again`];
}

/** A connection that has begun or ended, or a call of an MCP server. */
export function trafficText(event: Extract<WatchEvent, { t: "connection" | "call" }>): string {
  if (event.t === "call") return callText(event);
  const { change, side, memberName, bytesIn, bytesOut } = event;
  const who = side === "offered" ? safeName(memberName) : `this machine, to ${safeName(memberName)}`;
  if (change === "opened") return `connected: ${who}`;
  return `closed: ${who} (${sizeText(bytesIn)} in, ${sizeText(bytesOut)} out)`;
}

function callText({ memberName, call }: Extract<WatchEvent, { t: "call" }>): string {
  const { method, name, end, ms, chars } = call;
  const what = name === undefined ? safeLabel(method) : `${safeLabel(method)} ${safeLabel(name)}`;
  const size = end === "answered" ? `, ${chars} characters` : "";
  return `${safeName(memberName)} called ${what} (${end}, ${ms} ms${size})`;
}
