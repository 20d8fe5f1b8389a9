import { ACTIONS } from "../control/actions.ts";
import type { Identity } from "../control/descriptor.ts";
import { Endpoint } from "../control/endpoint.ts";
import { answerQuestions } from "../control/questions.ts";
import { machineFacts, privateFolders } from "../runtime/private-folders.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Sessions } from "../session/sessions.ts";
import { Faces } from "../watch/faces.ts";

interface EndpointsOptions {
  readonly sessions: Sessions;
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
}

export function openEndpoints(options: EndpointsOptions): Endpoints {
  const { sessions, clock } = options;
  const accept = answerQuestions({ sessions, clock, actions: ACTIONS });
  return { questions: new Endpoint({ ...placeOf(options), kind: "ask", accept }), faces: openFaces(options) };
}

/** The one for faces alone: a chat has no agent of whom other commands would ask. */
export function openFaces(options: EndpointsOptions): Endpoint {
  const { sessions, clock, version, cwd: folder } = options;
  const faces = new Faces({ sessions, clock, server: { pid: process.pid, version, folder } });
  const accept: ConstructorParameters<typeof Endpoint>[0]["accept"] = (socket, isToken) =>
    faces.accept(socket, isToken);
  return new Endpoint({ ...placeOf(options), kind: "watch", accept });
}

function placeOf({ sessions, clock, env, identity }: EndpointsOptions) {
  const facts = machineFacts();
  const { platform } = facts;
  return { sessions, clock, identity, folders: privateFolders(env, facts), platform, pid: process.pid };
}
