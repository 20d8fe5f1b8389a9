import type { Duplex } from "node:stream";
import type { Clock } from "../../runtime/clock.ts";
import type { RelayProof } from "../../tunnel/provider.ts";
import type { Gate, WayIn } from "../gate.ts";
import type { RawFields } from "../message.ts";
import type { Passage } from "../passage.ts";
import type { Probes } from "../probes.ts";
import type { Recorder } from "../recorder.ts";
import type { ServiceQuestion, Upstream } from "../upstream.ts";
import type { GatewayLimits } from "./limits.ts";
import type { FailureKind } from "./outgoing/failure.ts";

/** Something that the owner of an exposure may want to hear at once. */
export type GatewayNews =
  /** The service does not answer; told once until it does again. */
  | { readonly kind: "unreachable"; readonly why: FailureKind }
  | { readonly kind: "back" }
  /** A request that was let in is over. */
  | {
      readonly kind: "request";
      readonly way: WayIn;
      readonly visitor: string | undefined;
      readonly method: string;
      readonly target: string;
      /** Nothing where the visitor left before there was one. */
      readonly status: number | undefined;
    };

/** Where a gateway listens. */
export interface GatewayPlace {
  /** Address to listen on: loopback, unless the provider leads visitors here directly. */
  readonly bind: string;
  /** 0 for any. */
  readonly port: number;
}

export interface GatewayOptions {
  readonly gate: Gate;
  /** Asked for each request: the service may come back on the other family. */
  readonly upstream: () => Upstream;
  /** How the service is asked whether it answers; a GET of `/` when left out. */
  readonly question?: ServiceQuestion;
  readonly recorder?: Recorder;
  /** Answered whatever host is asked for; left out where nobody visits from outside. */
  readonly proof?: RelayProof;
  /** Field of the edge that names the visitor, in lower case; believed only if given. */
  readonly sourceHeader: string | undefined;
  /** Besides the public host, `Host` may be the loopback address and port of the gateway itself: only where every way in is a secret. */
  readonly takesLoopbackHost?: boolean;
  /** The user's own `Host` for the service. */
  readonly hostHeader: string | undefined;
  /** Our name in `Via`: unlike that of any other gateway, since it tells a loop. */
  readonly pseudonym: string;
  readonly clock: Clock;
  readonly limits?: Partial<GatewayLimits>;
  readonly onNews?: (news: GatewayNews) => void;
  readonly probes?: Probes;
}

/** A gateway that is given its connections, and listens nowhere. */
export interface SocketGateway extends Omit<Gateway, "port"> {
  /** A visitor's connection, which is the gateway's from now on. */
  accept(socket: Duplex): void;
}

/** From its publishing on, `Host` must be the authority of the public origin. Until then visitors get 503, and after its end 410. */
export interface Gateway extends Passage {
  endProbes(): void;
  /**
   * The field list that the service gets for one of a visitor, framing and `Connection` included: for a request without a body
   * that is sent on again.
   * @param source IP address of the visitor
   */
  fieldsFor(fields: RawFields, source: string): RawFields;
}
