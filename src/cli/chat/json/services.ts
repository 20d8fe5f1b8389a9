import { heldView } from "../../../view/held.ts";
import type { ChatEvent } from "../conversation/events.ts";

type Fields = Readonly<Record<string, unknown>>;
export type ServiceEvent = Extract<
  ChatEvent,
  { type: "offered" | "asked" | "connected" | "stopped" | "services" }
>;

/** An event about services. */
export function serviceFields(event: ServiceEvent): Fields {
  switch (event.type) {
    case "offered": {
      const { ref, service, sent, warnings } = event;
      const answer = sent.status === "held" ? heldView(sent) : sent;
      return {
        event: "offered",
        ref,
        ...service,
        ...answer,
        warnings: warnings.length === 0 ? undefined : warnings,
      };
    }
    case "asked": {
      const { ref, serviceId, name, fromName } = event;
      return { event: "asked", ref, serviceId, name, fromName };
    }
    case "connected": {
      const { ref, listener, url, token, mcp } = event;
      return { event: "connected", ref, url, ...listener, header: token, ...mcp };
    }
    case "stopped": {
      const { ref, serviceId, name, what } = event;
      return { event: "stopped", ref, serviceId, name, status: what === "offer" ? "withdrawn" : "stopped" };
    }
    case "services":
      return { event: "services", ref: event.ref, ...(event.services ?? NONE) };
  }
}

const NONE = { offered: [], listeners: [], toYou: [] } as const;
