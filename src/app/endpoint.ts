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
  const { sessions, clock, env, identity, version, cwd: folder } = options;
  const facts = machineFacts();
  const { pid } = process;
  const place = {
    sessions,
    clock,
    identity,
    folders: privateFolders(env, facts),
    platform: facts.platform,
    pid,
  };
  const faces = new Faces({ sessions, clock, server: { pid, version, folder } });
  return {
    questions: new Endpoint({
      ...place,
      kind: "ask",
      accept: answerQuestions({ sessions, clock, actions: ACTIONS }),
    }),
    faces: new Endpoint({
      ...place,
      kind: "watch",
      accept: (socket, isToken) => faces.accept(socket, isToken),
    }),
  };
}
