import type { Overseer } from "../oversight/overseer.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { Services } from "../protocol/link/service.ts";
import type { OutgoingMessage, Presence } from "../protocol/room/participant.ts";
import type { StreamPort } from "../session/files/port.ts";
import type { Notice } from "../session/notices/notice.ts";
import type { ServiceId, ServiceOffers } from "../session/service-offers.ts";
import type { OfferingService, SessionEvent } from "../session/session.ts";
import type { Answer } from "../session/saying/sent.ts";

/** A tunnel as its services need it, in either role. */
export interface ServiceTunnel {
  readonly tunnelId: string;
  readonly role: "host" | "member";
  readonly self: MemberId;
  /** Set once it is over. */
  readonly end: object | undefined;
  readonly services: Services;
  readonly streamPort: StreamPort;
  readonly serviceOffers: ServiceOffers;
  readonly inbox: { notify(notice: Notice): void };
  presence(): Presence[];
  say(outgoing: OutgoingMessage, options: { readonly service?: OfferingService }): Promise<Answer>;
  /** Where a later process finds what ended with this one. */
  readonly keptServices?: {
    begins: (service: {
      readonly side: "offered" | "taken";
      readonly serviceId: ServiceId;
      readonly name: string;
      readonly to?: MemberId[] | undefined;
      readonly until?: number | undefined;
    }) => void;
    over: (serviceId: ServiceId) => void;
  };
  shareCredit(taken: () => number): void;
  subscribe(listener: (event: SessionEvent) => void): () => void;
}

/** The oversight as services use it. */
export type VisitOverseer = Pick<Overseer, "asks" | "closed">;

export function nameOf(tunnel: Pick<ServiceTunnel, "presence">, id: MemberId): string {
  return tunnel.presence().find((one) => one.id === id)?.name ?? id;
}
