import { ACTIONS, type ExposedHere } from "../control/actions.ts";
import type { Identity } from "../control/descriptor.ts";
import { Endpoint } from "../control/endpoint.ts";
import { Watchers } from "../control/watchers.ts";
import { answerQuestions } from "../control/questions.ts";
import { machineFacts, privateFolders } from "../runtime/private-folders.ts";
import type { Clock } from "../runtime/clock.ts";
import type { LazyExposures } from "../expose/exposures/lazy-exposures.ts";
import { either } from "../runtime/emitter.ts";
import type { LazyServices } from "../services/tunnels/lazy-services.ts";
import type { Sessions } from "../session/sessions.ts";
import { exposureView } from "../view/expose/exposures.ts";
import { Faces } from "../watch/faces.ts";

interface EndpointsOptions {
  readonly sessions: Sessions;
  readonly exposures: LazyExposures;
  readonly services: LazyServices;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The owner, for other commands of the same user that look for this server. */
  readonly identity: Identity;
  readonly version: string;
  readonly cwd: string;
}

/** The local endpoints of this server. They open with the first tunnel. */
export interface Endpoints {
  /** Questions of other commands: it carries no decision. */
  readonly questions: Endpoint;
  /** The faces of this user, and what they decide. */
  readonly faces: Endpoint;
  /** Whether a page of this user shows this server. */
  readonly hasPage: () => boolean;
  /**
   * Whether a program tells of what is unread in this tunnel for as long as it runs, such as a plugin's monitor.
   * @param isExpected a monitor runs, which counts before it has had the time to find the endpoint
   */
  readonly isWatched: (tunnelId: string, isExpected: boolean) => boolean;
}

export function openEndpoints(options: EndpointsOptions): Endpoints {
  const { sessions, exposures, clock } = options;
  const watchers = new Watchers(clock);
  const accept = answerQuestions({
    sessions,
    exposed: () => exposedHere(exposures, clock),
    clock,
    actions: ACTIONS,
    watchers,
  });
  const questions = new Endpoint({ ...placeOf(options), kind: "ask", accept });
  const { faces, endpoint } = facesOf(options);
  return {
    questions,
    faces: endpoint,
    hasPage: () => faces.has("page"),
    isWatched: (tunnelId, isExpected) => watchers.has(tunnelId) || (isExpected && !questions.isFindable),
  };
}

/** The one for faces alone: a chat has no agent of whom other commands would ask. */
export function openFaces(options: EndpointsOptions): Endpoint {
  return facesOf(options).endpoint;
}

function facesOf(options: EndpointsOptions): { readonly faces: Faces; readonly endpoint: Endpoint } {
  const { sessions, exposures, services, clock, version, cwd: folder } = options;
  const faces = new Faces({
    sessions,
    exposures,
    services,
    clock,
    server: { pid: process.pid, version, folder },
  });
  const accept: ConstructorParameters<typeof Endpoint>[0]["accept"] = (socket, isToken) =>
    faces.accept(socket, isToken);
  return { faces, endpoint: new Endpoint({ ...placeOf(options), kind: "watch", accept }) };
}

function exposedHere({ loaded }: LazyExposures, clock: Clock): ExposedHere | undefined {
  if (loaded === undefined) return undefined;
  return { ports: loaded.ports, views: () => loaded.running.map((one) => exposureView(one, clock.now())) };
}

function placeOf({ sessions, exposures, clock, env, identity }: EndpointsOptions) {
  const facts = machineFacts();
  const { platform } = facts;
  const begins = either(sessions.onNews, (wake) => exposures.subscribe(wake));
  return { begins, clock, identity, folders: privateFolders(env, facts), platform, pid: process.pid };
}
