import type { Clock } from "../runtime/clock.ts";
import { every } from "../runtime/wait.ts";
import { statusOf } from "../view/status.ts";
import type { Session, Sessions } from "../session/sessions.ts";
import type { LazyServices } from "../services/tunnels/lazy-services.ts";
import type { ServicesEvent } from "../services/news.ts";
import type { ExposuresEvent } from "../expose/exposures/exposures.ts";
import type { LazyExposures } from "../expose/exposures/lazy-exposures.ts";
import type { AskEvent } from "../oversight/asks/asks.ts";
import { exposureNews, exposureView } from "../view/expose/exposures.ts";
import { requestView } from "../view/expose/exposure-requests.ts";
import type { WatchEvent } from "./protocol.ts";
import { askView, nameOf, tunnelView, watchedEntry, watchedServices } from "./views.ts";

/** Entries that a face is shown of what was said before it came. */
const BEFORE = 50;
/** Presence and counts change with every message; a face is told of them so often. */
const STATE_EVERY_MS = 250;
/** That the host's program has ended shows only when it is dialled again. */
const CUT_OFF_EVERY_MS = 2_000;

/** Everything that a person's face is told, from its arrival on. */
export class Feed {
  readonly #sessions: Sessions;
  readonly #clock: Clock;
  readonly #emit: (event: WatchEvent) => void;
  /** Where each tunnel's log was read up to. */
  readonly #read = new Map<string, number>();
  /** Tunnels whose state has changed since it was told. */
  readonly #changed = new Set<string>();
  /** The same for the services of a tunnel. */
  readonly #servicesChanged = new Set<string>();
  readonly #services: LazyServices;
  readonly #stops: readonly (() => void)[];
  #cancelState: (() => void) | undefined;
  readonly #stopLooking: () => void;

  constructor(options: {
    readonly sessions: Sessions;
    readonly exposures: LazyExposures;
    readonly services: LazyServices;
    readonly clock: Clock;
    readonly emit: (event: WatchEvent) => void;
  }) {
    const { sessions, exposures, services, clock, emit } = options;
    this.#services = services;
    this.#sessions = sessions;
    this.#clock = clock;
    this.#emit = emit;
    for (const tunnel of sessions.all) this.#before(tunnel);
    // Whoever begins to sign in looks for the code afterwards.
    for (const event of exposures.loaded?.signIns ?? []) this.#exposed(event);
    this.#stopLooking = every(clock, CUT_OFF_EVERY_MS, () => this.#lookAtCutOff());
    this.#stops = [
      sessions.subscribe(({ tunnelId, type }) => {
        if (type === "presence") this.#servicesChanged.add(tunnelId);
        this.#happened(tunnelId);
      }),
      services.subscribe((event) => this.#served(event)),
      exposures.subscribe((event) => this.#exposed(event)),
      sessions.overseer.asks.subscribe((event) => this.#asked(event)),
      sessions.overseer.onWarning((tunnelId, budgets) => this.#emit({ t: "warning", tunnelId, budgets })),
    ];
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#cancelState?.();
    this.#stopLooking();
  }

  #lookAtCutOff(): void {
    const cutOff = this.#sessions.open.filter((tunnel) => statusOf(tunnel) === "reconnecting");
    if (cutOff.length === 0) return;
    for (const { tunnelId } of cutOff) this.#changed.add(tunnelId);
    this.#tellSoon();
  }

  #before(tunnel: Session): void {
    this.#read.set(tunnel.tunnelId, Math.max(0, tunnel.heardLog.end - BEFORE));
    this.#entries(tunnel);
  }

  #happened(tunnelId: string): void {
    const tunnel = this.#sessions.all.find((one) => one.tunnelId === tunnelId);
    if (tunnel === undefined) return;
    this.#entries(tunnel);
    this.#changed.add(tunnelId);
    this.#tellSoon();
  }

  #tellSoon(): void {
    this.#cancelState ??= this.#clock.after(STATE_EVERY_MS, () => this.#tellStates());
  }

  #entries(tunnel: Session): void {
    const { tunnelId, heardLog } = tunnel;
    for (const placed of heardLog.after(this.#read.get(tunnelId) ?? 0)) {
      const [position, entry] = placed;
      this.#emit({ t: "entry", ...watchedEntry(tunnel, placed, this.#clock.now()) });
      if (entry.kind === "service" || entry.kind === "withdrawal") this.#servicesChanged.add(tunnelId);
      this.#read.set(tunnelId, position);
    }
  }

  #tellStates(): void {
    this.#cancelState = undefined;
    for (const tunnel of this.#sessions.all)
      if (this.#changed.has(tunnel.tunnelId)) this.#emit({ t: "tunnel", tunnel: tunnelView(tunnel) });
    this.#changed.clear();
    for (const tunnel of this.#sessions.all)
      if (this.#servicesChanged.has(tunnel.tunnelId))
        this.#emit({ t: "services", ...watchedServices(tunnel, this.#services, this.#clock.now()) });
    this.#servicesChanged.clear();
  }

  #served(event: ServicesEvent): void {
    this.#servicesChanged.add(event.tunnelId);
    this.#tellSoon();
    if (event.type === "call") return this.#called(event);
    if (event.type !== "connection") return;
    const { type: _type, member, ...facts } = event;
    this.#emit({ t: "connection", ...facts, memberName: nameOf(this.#sessions, event.tunnelId, member) });
  }

  #called({ tunnelId, serviceId, name, call }: Extract<ServicesEvent, { type: "call" }>): void {
    const { who, ...facts } = call;
    const memberName = nameOf(this.#sessions, tunnelId, who);
    this.#emit({ t: "call", tunnelId, serviceId, name, memberName, call: facts });
  }

  #exposed(event: ExposuresEvent): void {
    const { exposure } = event;
    if (event.type === "visit") {
      const request = requestView(event.exchange, exposure.inspector.redactor);
      return this.#emit({ t: "visit", name: exposure.name, request });
    }
    const what = exposureNews(event);
    if (what === undefined) return;
    const asks = event.type === "sign-in" && event.notice.what === "code";
    const view = exposureView(exposure, this.#clock.now());
    this.#emit({ t: "exposure", exposure: view, what, ...(asks ? { asks } : {}) });
  }

  #asked(event: AskEvent): void {
    if (event.type !== "crowded")
      return this.#emit({ t: "ask", ask: askView(event.ask, this.#sessions), isNew: event.type === "asked" });
    const { tunnelId, causer } = event;
    const member = causer === "own-agent" ? undefined : nameOf(this.#sessions, tunnelId, causer.member);
    this.#emit({ t: "crowded", tunnelId, member });
  }
}
