import type { LazyExposures } from "../expose/exposures/lazy-exposures.ts";
import type { Clock } from "../runtime/clock.ts";
import type { LazyServices } from "../services/tunnels/lazy-services.ts";
import type { Sessions } from "../session/sessions.ts";
import { exposureView } from "../view/expose/exposures.ts";
import type { WatchEvent } from "./protocol.ts";
import { askView, tunnelView, watchedServices } from "./views.ts";

type Hello = Extract<WatchEvent, { t: "hello" }>;

/** The parts of one program that a view looks at. */
export interface Watched {
  readonly sessions: Sessions;
  readonly exposures: LazyExposures;
  readonly services: LazyServices;
  readonly clock: Clock;
  readonly server: Hello["server"];
}

/** As everything stands, for a view that has just come (H12). */
export function helloOf({ sessions, exposures, services, clock, server }: Watched): Hello {
  return {
    t: "hello",
    server,
    tunnels: sessions.all.map(tunnelView),
    exposures: (exposures.loaded?.running ?? []).map((one) => exposureView(one, clock.now())),
    services: sessions.all.flatMap((tunnel) => {
      const watched = watchedServices(tunnel, services, clock.now());
      return watched.services === undefined ? [] : [watched];
    }),
    asks: sessions.overseer.asks.waiting.map((ask) => askView(ask, sessions)),
  };
}
