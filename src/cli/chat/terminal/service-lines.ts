import type { ServiceEntryView } from "../../../view/entries.ts";
import { sizeText } from "../../../view/files.ts";
import { heldView } from "../../../view/held.ts";
import { shownLabel } from "../../../view/labels.ts";
import type {
  HeardServiceView,
  ListenerView,
  OwnServiceView,
  ServicesView,
  ServiceView,
} from "../../../view/services.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { safeLabel, safeName } from "./safe-text.ts";
import { duration } from "../../../view/words/system-text.ts";

type ServiceEvent = Extract<ChatEvent, { type: "offered" | "asked" | "connected" | "stopped" }>;

/** A service that a member offers, as words of that member: not safe for a terminal yet. */
export function offeredText({ service, note }: ServiceEntryView, number: number): string {
  const { name, port } = service;
  const where = port === undefined ? [] : [`port ${port} there`];
  const facts = [...kindFacts(service), ...where].join(", ");
  const about = note === undefined ? "" : `\n${note}`;
  return `offers the service ${shownLabel(name)} (${facts}): /connect ${number}${about}`;
}

/** The same for the end of an offer. */
export function withdrawnText(name: string | undefined, serviceId: string): string {
  return `no longer offers the service ${name === undefined ? serviceId : shownLabel(name)}`;
}

function kindFacts({ service, readOnly, maxConnections, livesSec, confirmEach }: ServiceView): string[] {
  return [
    service,
    ...(readOnly === true ? ["read only"] : []),
    ...(maxConnections === undefined ? [] : [`at most ${maxConnections} connections`]),
    ...(livesSec === undefined ? [] : [`for ${duration(livesSec * 1_000)}`]),
    ...(confirmEach === true ? ["its owner is asked each time"] : []),
  ];
}

/** Acts of this side, in lines that are safe for a terminal. */
export function serviceLines(event: ServiceEvent): string[] {
  switch (event.type) {
    case "offered":
      return offerLines(event);
    case "asked":
      return [
        `The owner of ${safeName(event.name)}, ${safeName(event.fromName)}, is asked first. You are told here when it is decided.`,
      ];
    case "connected":
      return connectedLines(event);
    case "stopped": {
      const name = safeName(event.name);
      return [event.what === "offer" ? `${name} is no longer offered.` : `${name} is no longer here.`];
    }
  }
}

function offerLines({
  number,
  service,
  sent,
  warnings,
}: Extract<ServiceEvent, { type: "offered" }>): string[] {
  const { name, target, to } = service;
  const what = `${safeName(name)} (${safeLabel(target)})`;
  const told = warnings.map((warning) => `  Take care: ${safeLabel(warning)}`);
  if (sent.status === "held") {
    const { askId, reason } = heldView(sent);
    const how = askId === undefined ? "" : ` Type /approve ${askId} or /refuse ${askId}.`;
    return [`${what} is not offered yet: ${reason}.${how}`, ...told];
  }
  const whom = to === undefined ? "everybody" : to.map(safeName).join(", ");
  const late = sent.status === "queued" ? ` Not told yet: ${sent.reason}.` : "";
  return [
    `${what} is offered to ${whom}.${late} You are asked before each member's first connection. /withdraw ${number} ends it.`,
    ...told,
  ];
}

/** Tools of a peer's MCP server that are named. */
const MAX_TOOLS = 30;

function connectedLines(event: Extract<ServiceEvent, { type: "connected" }>): string[] {
  const { number, listener, url, token, mcp } = event;
  const { service, host, port, fromName } = listener;
  const name = safeName(listener.name);
  const end = `  It is ${safeName(fromName)}'s: trust it no more than them. /disconnect ${number} ends it.`;
  if (service === "tcp")
    return [`${name} is here: host ${host}, port ${port}. Any program on this machine can use it.`, end];
  const header =
    token === undefined ? [] : [`  Programs send with each request: ${token.field}: ${token.value}`];
  if (mcp !== undefined) {
    const { register, tools } = mcp;
    const shown = tools?.slice(0, MAX_TOOLS).map(safeLabel).join(", ");
    const more =
      tools !== undefined && tools.length > MAX_TOOLS ? `, and ${tools.length - MAX_TOOLS} more` : "";
    return [
      `${name} is an MCP server here: ${url}`,
      `  For your client, if you want it there: ${safeLabel(register)}`,
      ...(shown === undefined
        ? []
        : [`  The peer says that it has these tools: ${shown === "" ? "none" : shown}${more}`]),
      end,
    ];
  }
  const browser = service === "http" ? [`  In a browser, once: ${url}`] : [];
  return [`${name} is here: http://${host}:${port}`, ...browser, ...header, end];
}

/** A list of services as one face shows it. */
export interface ServicesListing {
  /** The line above each part, which says what can be typed. */
  readonly heads: Readonly<Record<keyof ServicesView, string>>;
  /** The word by which a person calls a service, safe for a terminal. */
  readonly label: (serviceId: string) => string;
}

/** Those of a chat. */
const CHAT_HEADS = {
  offered: "Offered by you (/withdraw N):",
  listeners: "Used on this machine (/disconnect N):",
  toYou: "Offered by others (/connect N):",
} as const;

/** The lines of `/services`. */
export function chatServicesLines(
  view: ServicesView | undefined,
  numberOf: (serviceId: string) => number,
): string[] {
  return servicesLines(view, { heads: CHAT_HEADS, label: (serviceId) => String(numberOf(serviceId)) });
}

export function servicesLines(view: ServicesView | undefined, { heads, label }: ServicesListing): string[] {
  const { offered = [], listeners = [], toYou = [] } = view ?? {};
  const row = (serviceId: string, text: string): string => `  ${label(serviceId)}  ${text}`;
  const running = offered.filter(({ status }) => status !== "over");
  const parts: [head: string, rows: readonly string[]][] = [
    [heads.offered, running.map((one) => row(one.serviceId, ownText(one)))],
    [heads.listeners, listeners.map((one) => row(one.serviceId, listenerText(one)))],
    [heads.toYou, toYou.map((one) => row(one.serviceId, heardText(one)))],
  ];
  const lines = parts.flatMap(([head, rows]) => (rows.length === 0 ? [] : [head, ...rows]));
  return lines.length === 0 ? ["No service is offered or used here."] : lines;
}

function ownText(own: OwnServiceView): string {
  const { name, target, to, status, service } = own;
  const state = status === "held" ? ["waits for you"] : trafficFacts(own);
  const whom = to === undefined ? "everybody" : to.map(safeName).join(", ");
  const facts = [
    service,
    ...(own.readOnly === true ? ["read only"] : []),
    `to ${whom}`,
    ...state,
    ...timeLeft(own),
  ];
  return `${safeName(name)} (${safeLabel(target)}): ${facts.join(", ")}`;
}

function listenerText(listener: ListenerView): string {
  const { name, fromName, host, port, status, trouble } = listener;
  const away = status === "away" ? ["its owner is cut off"] : [];
  const last = trouble === undefined ? [] : [`the last connection was refused (${trouble})`];
  const facts = [`${host}:${port}`, ...trafficFacts(listener), ...timeLeft(listener), ...away, ...last];
  return `${safeName(name)} of ${safeName(fromName)}: ${facts.join(", ")}`;
}

function heardText(heard: HeardServiceView): string {
  const { name, fromName, expiresInSec } = heard;
  // How long it was to live says less than what is left of that.
  const facts = [...kindFacts({ ...heard, livesSec: undefined }), ...timeLeft({ expiresInSec })];
  return `${safeName(name)} of ${safeName(fromName)}: ${facts.join(", ")}`;
}

/** The same services so many seconds later. */
export function withTimeLeft(view: ServicesView, elapsed: number): ServicesView {
  const later = <One extends { readonly expiresInSec: number | undefined }>(one: One): One => ({
    ...one,
    expiresInSec: one.expiresInSec === undefined ? undefined : Math.max(0, one.expiresInSec - elapsed),
  });
  return {
    offered: view.offered.map(later),
    listeners: view.listeners.map(later),
    toYou: view.toYou.map(later).filter(({ expiresInSec }) => expiresInSec !== 0),
  };
}

interface Traffic {
  readonly open: number;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Open and past connections, and what went both ways, as `12 B in, 3 KiB out`. */
function trafficFacts({ open, connections, bytesIn, bytesOut }: Traffic): string[] {
  if (connections === 0) return ["nobody has connected"];
  return [`${open} open of ${connections} so far`, `${sizeText(bytesIn)} in`, `${sizeText(bytesOut)} out`];
}

function timeLeft({ expiresInSec }: { readonly expiresInSec: number | undefined }): string[] {
  return expiresInSec === undefined ? [] : [`${duration(expiresInSec * 1_000)} left`];
}
