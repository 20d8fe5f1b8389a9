import type { CallRecord } from "../bridge/log.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { ServiceId } from "../session/service-offers.ts";

/** A connection to a service has begun or ended. */
export interface ConnectionNews {
  readonly type: "connection";
  readonly change: "opened" | "closed";
  /** `offered`: to a service of this side; `taken`: from this machine to one of somebody else. */
  readonly side: "offered" | "taken";
  readonly serviceId: ServiceId;
  /** The name of the service, a label of its owner's. */
  readonly name: string;
  /** The other end: the member that connects, or the owner. */
  readonly member: MemberId;
  /** Bytes of this connection so far, as this side received and sent them. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A member has called an MCP server that this side offers. */
interface CallNews {
  readonly type: "call";
  readonly serviceId: ServiceId;
  readonly name: string;
  readonly call: CallRecord;
}

/** News of the services of one tunnel. `changed`: an offer or a listener came, went, or stands otherwise. */
export type ServicesNews = { readonly type: "changed" } | ConnectionNews | CallNews;

/** News of the services of a process, with the tunnel that they are about. */
export type ServicesEvent = ServicesNews & { readonly tunnelId: string };
