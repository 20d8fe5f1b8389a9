import { toBase64url } from "../protocol/base/bytes.ts";
import type { ServiceKind, ServiceOffer } from "../protocol/services/offer.ts";
import { seconds } from "./time.ts";

/** A service as its offer describes it. The name is a label of its owner's. */
export interface ServiceView {
  readonly serviceId: string;
  readonly name: string;
  readonly service: ServiceKind;
  /** At its owner's; undefined where it has none. */
  readonly port: number | undefined;
  readonly readOnly: true | undefined;
  /** From when it was said; undefined where it lives as long as its owner is in the room. */
  readonly livesSec: number | undefined;
  readonly maxConnections: number | undefined;
  /** The owner's person says yes to each connection. */
  readonly confirmEach: true | undefined;
}

export function serviceView(offer: ServiceOffer): ServiceView {
  const { id, name, service, port, readOnly, lifeMs, most, confirms } = offer;
  return {
    serviceId: toBase64url(id),
    name,
    service,
    port,
    readOnly,
    livesSec: lifeMs === undefined ? undefined : seconds(lifeMs),
    maxConnections: most,
    confirmEach: confirms,
  };
}
