import type { ExposureView } from "../../view/expose/exposures.ts";
import type { Told, WatchedServices, WatchEvent } from "../../watch/protocol.ts";
import type { PageEvent, PageTold } from "../model.ts";
import { askShown } from "./asks.ts";
import { entryShown } from "./entries.ts";
import { markedAll } from "./labels.ts";
import { exposureShown, servicesShown, trafficText, visitText } from "./things.ts";
import { tunnelShown } from "./tunnels.ts";

/** Lines about a thing that are shown. */
const TRAFFIC = 5;

/** Something, and when it was told: the times in it count from then. */
interface At<View> {
  readonly view: View;
  readonly toldAt: number;
}

type Heard = Exclude<WatchEvent, { t: "answer" }>;

/** Turns what one server tells into what is drawn of it, with everything in it that hides written out. */
export class Shown {
  readonly #exposures = new Map<string, At<ExposureView>>();
  readonly #services = new Map<string, At<WatchedServices>>();
  readonly #traffic = new Map<string, readonly string[]>();
  readonly #isObserver: boolean;
  #isCrowded = false;

  constructor({ isObserver }: { readonly isObserver: boolean } = { isObserver: false }) {
    this.#isObserver = isObserver;
  }

  /** @param now ms since the epoch @returns events, each of which replaces what was told before under its key */
  of(event: Heard, now: number): readonly PageEvent[] {
    const shown = this.#of(event, now);
    return (this.#isObserver ? shown.flatMap(readOnly) : shown).map((one) => markedAll(one));
  }

  #of(event: Heard, now: number): readonly PageEvent[] {
    switch (event.t) {
      case "hello": {
        const { tunnels, exposures, services, asks } = event;
        const parts: readonly Heard[] = [
          ...tunnels.map((tunnel) => ({ t: "tunnel" as const, tunnel })),
          ...exposures.map((exposure) => ({ t: "exposure" as const, exposure, what: undefined })),
          ...services.map((one) => ({ t: "services" as const, ...one })),
          ...asks.map((ask) => ({ t: "ask" as const, ask, isNew: false })),
        ];
        return parts.flatMap((part) => this.#of(part, now));
      }
      case "tunnel":
        return [{ t: "tunnel", tunnel: tunnelShown(event.tunnel, now) }];
      case "ask":
        return [{ t: "ask", ask: askShown(event.ask) }];
      case "entry": {
        const entry = entryShown(event);
        return entry === undefined ? [] : [{ t: "entry", entry }];
      }
      case "exposure":
      case "visit":
        return this.#exposed(event, now);
      case "services":
        this.#services.set(event.tunnelId, { view: event, toldAt: now });
        return this.#served(event.tunnelId);
      case "connection":
      case "call":
        this.#passed(event.serviceId, trafficText(event));
        return this.#served(event.tunnelId);
      default:
        return this.#news(event);
    }
  }

  #news(event: Extract<Heard, { t: "crowded" | "warning" | "faces" }>): readonly PageEvent[] {
    switch (event.t) {
      case "faces": {
        const { face: kind, change } = event;
        const what = kind === "page" ? "Another page" : "A view in a terminal";
        const isNew = change === "opened";
        const text = isNew
          ? `${what} was opened on your tunnels. If it was not you, end it there, or end the tunnel.`
          : `${what} was closed.`;
        return [{ t: "news", text, ...(isNew ? {} : { passes: true }), face: { kind, change } }];
      }
      case "warning":
        return [{ t: "news", text: `Four fifths are used: ${event.budgets.join(", ")}.` }];
      case "crowded":
        if (this.#isCrowded) return [];
        this.#isCrowded = true;
        return [
          {
            t: "news",
            text: "More is asked than is shown here: the rest comes when you have decided some of it.",
          },
        ];
    }
  }

  #exposed(event: Extract<Heard, { t: "exposure" | "visit" }>, now: number): readonly PageEvent[] {
    if (event.t === "visit") {
      const { name, request } = event;
      if (request.way === "probe") return [];
      this.#passed(name, visitText(request));
      // Counts as the server does: those that were let in.
      const counts = request.way !== undefined;
      for (const [id, { view, toldAt }] of this.#exposures)
        if (view.name === name && counts)
          this.#exposures.set(id, { view: { ...view, requests: view.requests + 1 }, toldAt });
    } else {
      const { exposureId, status } = event.exposure;
      if (status === "over" || status === "failed") this.#exposures.delete(exposureId);
      else this.#exposures.set(exposureId, { view: event.exposure, toldAt: now });
    }
    const things = [...this.#exposures.values()].map(({ view, toldAt }) =>
      exposureShown(view, this.#traffic.get(view.name) ?? [], toldAt),
    );
    const parts = things.length === 0 ? [] : [{ title: "Open to the internet", things }];
    return [{ t: "parts", of: "exposures", tunnelId: undefined, parts }, ...exposureNews(event)];
  }

  #served(tunnelId: string): readonly PageEvent[] {
    const told = this.#services.get(tunnelId);
    const about = { traffic: this.#traffic, now: told?.toldAt ?? 0 };
    const services = told?.view.services;
    const parts = services === undefined ? [] : servicesShown(tunnelId, services, about);
    return [{ t: "parts", of: `services ${tunnelId}`, tunnelId, parts }];
  }

  #passed(key: string, text: string): void {
    this.#traffic.set(key, [...(this.#traffic.get(key) ?? []), text].slice(-TRAFFIC));
  }
}

/** For somebody who only reads along: nothing that could be decided, ended or fetched. */
function readOnly(event: PageEvent): readonly PageEvent[] {
  if (event.t === "tunnel") {
    const { tunnel } = event;
    return [{ ...event, tunnel: { ...tunnel, gauges: [], invites: { ...tunnel.invites, things: [] } } }];
  }
  if (event.t !== "entry") return [];
  const { entry } = event;
  if (entry.kind === "system" || entry.card === undefined) return [event];
  return [{ ...event, entry: { ...entry, card: { ...entry.card, look: undefined } } }];
}

/** A sign-in is a question to this person, and an end is news; the rest is seen in the list. */
function exposureNews(event: Extract<Heard, { t: "exposure" | "visit" }>): readonly PageEvent[] {
  if (event.t === "visit" || event.what === undefined) return [];
  const text = `${event.exposure.name}: ${event.what}.`;
  return [event.asks === true ? { t: "news", text } : { t: "news", text, passes: true }];
}

/** The answer to a question of a tab, as it is drawn. */
export function shownAnswer(told: Told | undefined): PageTold | undefined {
  return told === undefined ? undefined : markedAll(answered(told));
}

function answered(told: Told): PageTold {
  if (told.told !== "entries") return told;
  const entries = told.entries.flatMap((one) => entryShown(one) ?? []);
  return { told: "entries", entries, more: told.more };
}
