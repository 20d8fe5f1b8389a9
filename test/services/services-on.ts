import { nodePrimitives } from "../../src/runtime/primitives.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { LazyServices } from "../../src/services/lazy-services.ts";
import { MemberServices } from "../../src/services/member-services.ts";
import { createLookup } from "../../src/net/resolve.ts";
import type { Sessions } from "../../src/session/sessions.ts";

/** The services of these sessions, loaded with the first call that needs them. */
export function servicesOn(sessions: Sessions, clock: Clock): LazyServices {
  return new LazyServices(() =>
    Promise.resolve(
      new MemberServices({
        clock,
        primitives: nodePrimitives,
        overseer: sessions.overseer,
        find: { allow: [], ownPorts: () => [], lookup: createLookup({ doh: false }) },
        isShared: () => Promise.resolve(false),
      }),
    ),
  );
}
