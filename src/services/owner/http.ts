import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { methodRefused, NO_SOCKET, refusal } from "../../expose/access/answers.ts";
import { OVERRIDES } from "../../expose/access/overrides.ts";
import type { Admission, Gate } from "../../expose/gate.ts";
import { socketGateway } from "../../expose/gateway/gateway.ts";
import type { SocketGateway } from "../../expose/gateway/options.ts";
import { without } from "../../expose/message.ts";
import { findService, type FindOptions } from "../../expose/target/find.ts";
import { targetName, type ServiceTarget } from "../../expose/target/parse.ts";
import type { Upstream } from "../../expose/upstream.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Handler } from "./handler.ts";

const READING: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/**
 * The owner's own check of each request, whatever the taker's side let in: a taker may send any bytes. With `readOnly` a
 * WebSocket is refused as well, since it carries words both ways.
 */
function methodGate(isReadOnly: boolean): Gate {
  return {
    judge(head, _source, { isUpgrade }): Admission {
      const { method, target, fields } = head;
      if (isReadOnly && isUpgrade) return { kind: "answer", answer: refusal(NO_SOCKET, false) };
      if (isReadOnly && !READING.includes(method))
        return { kind: "answer", answer: refusal(methodRefused(READING), false) };
      const kept = isReadOnly ? without(fields, OVERRIDES) : fields;
      return { kind: "pass", way: "open", visitor: undefined, target, fields: kept, respond: sameHead };
    },
  };
}

const sameHead = <Head>(head: Head): Head => head;

/** The gateways of one service, one for each taker: each sees the service under an origin of its own. */
class HttpGateways {
  readonly #clock: Clock;
  readonly #pseudonym: string;
  readonly #gate: Gate;
  readonly #upstream: () => Upstream;
  readonly #byMember = new Map<MemberId, { readonly origin: string; readonly gateway: SocketGateway }>();

  constructor(options: {
    readonly clock: Clock;
    readonly primitives: Pick<Primitives, "random">;
    readonly gate: Gate;
    readonly upstream: () => Upstream;
  }) {
    this.#clock = options.clock;
    this.#pseudonym = `tunnel-${toHex(options.primitives.random(6))}`;
    this.#gate = options.gate;
    this.#upstream = options.upstream;
  }

  /** @throws {TunnelError} service-invalid */
  for(who: MemberId, origin: string): SocketGateway {
    const known = this.#byMember.get(who);
    if (known?.origin === origin) return known.gateway;
    const shown = shownOrigin(origin);
    void known?.gateway.close();
    const gateway = socketGateway({
      gate: this.#gate,
      upstream: this.#upstream,
      sourceHeader: undefined,
      hostHeader: undefined,
      pseudonym: this.#pseudonym,
      clock: this.#clock,
    });
    gateway.publish(shown);
    this.#byMember.set(who, { origin, gateway });
    return gateway;
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#byMember.values(), ({ gateway }) => gateway.close()));
    this.#byMember.clear();
  }
}

/**
 * The origin under which a taker sees the service: what `Host` must be, and what the service is told of. It comes from a peer, so it can
 * be nothing but an address of a machine's own. @throws {TunnelError} service-invalid
 */
export function shownOrigin(origin: string): URL {
  const isOne = /^http:\/\/(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|[a-z0-9-]{1,63}\.localhost):\d{1,5}$/.test(
    origin,
  );
  if (!isOne || !URL.canParse(origin)) throw new TunnelError("service-invalid");
  return new URL(origin);
}

/** @throws {TunnelError} expose-target-* */
export async function httpHandler(
  target: ServiceTarget,
  options: FindOptions & { readonly primitives: Pick<Primitives, "random">; readonly isReadOnly: boolean },
): Promise<Handler> {
  const { primitives, isReadOnly, ...find } = options;
  const { upstream, warnings } = await findService(target, find);
  const gateways = new HttpGateways({
    clock: options.clock,
    primitives,
    gate: methodGate(isReadOnly),
    upstream: () => upstream,
  });
  return {
    target: targetName(target),
    port: target.port,
    warnings,
    connect({ who, origin }) {
      const gateway = gateways.for(who, origin);
      return Promise.resolve({ take: (socket) => gateway.accept(socket), drop: () => undefined });
    },
    close: () => gateways.close(),
  };
}
