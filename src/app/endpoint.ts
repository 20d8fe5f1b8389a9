import { ACTIONS } from "../control/actions.ts";
import type { Identity } from "../control/descriptor.ts";
import { Endpoint } from "../control/endpoint.ts";
import { machineFacts, privateFolders } from "../runtime/private-folders.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Sessions } from "../session/sessions.ts";

/** The local endpoint of this server. It opens with the first tunnel. */
export function openEndpoint(options: {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The owner, for other commands of the same user that look for this server. */
  readonly identity: Identity;
}): Endpoint {
  const { sessions, clock, env, identity } = options;
  const facts = machineFacts();
  return new Endpoint({
    sessions,
    clock,
    actions: ACTIONS,
    identity,
    folders: privateFolders(env, facts),
    platform: facts.platform,
    pid: process.pid,
  });
}
