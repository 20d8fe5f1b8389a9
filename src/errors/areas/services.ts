import type { ErrorArea } from "../base/entry.ts";

/** Services that members of a tunnel offer each other. */
export const SERVICES = {
  "service-target-refused": {
    message: "this target is too dangerous to offer",
    next: "Offer the app that needs it instead. Only your human can allow it, in TUNNEL_SHARE_SERVICES.",
    nextForPerson:
      "Offer the app that needs it instead. If you mean it, list it in TUNNEL_SHARE_SERVICES as HOST:PORT.",
    retryable: false,
  },
  "service-target-not-local": {
    message: "the target is not on this machine",
    next: "Give a port of this machine. Only your human can allow another one, by name and port, in TUNNEL_SHARE_SERVICES.",
    nextForPerson:
      "Give a port of this machine, or list the other one in TUNNEL_SHARE_SERVICES as HOST:PORT.",
    retryable: false,
  },
  "service-to-all": {
    message: "a database is offered to named members only",
    next: "Call tunnel_share again with `to`: the names of those who are to reach it.",
    nextForPerson: "Name those who are to reach it.",
    retryable: false,
  },
  "service-invalid": {
    message: "this is no offer of a service",
    next: "Give target (a port, or localhost with a port), kind (http, tcp or mcp) and a short name; readOnly goes with http.",
    nextForPerson: "Give a port, a kind (http, tcp or mcp) and a name; readOnly goes with http.",
    retryable: false,
  },
  "service-silent": {
    message: "nothing takes connections at the target",
    next: "Start the service, see which port it prints, and call again with that.",
    nextForPerson: "Start the service, see which port it prints, and try again with that.",
    retryable: true,
  },
  "service-limit": {
    message: "too many services are offered or connected here",
    next: "Stop one with tunnel_connect({stop}); tunnel_status lists them.",
    nextForPerson: "Stop one first.",
    retryable: false,
  },
  "service-unknown": {
    message: "no service of this id was offered to you",
    next: "Take serviceId from the offer in tunnel_listen, or from tunnel_status.",
    nextForPerson: "List the services that were offered to you.",
    retryable: false,
  },
  "service-own": {
    message: "this service is your own",
    next: "Connect to it directly. tunnel_connect({stop}) withdraws the offer.",
    nextForPerson: "It is on this machine: connect to it directly.",
    retryable: false,
  },
  "service-gone": {
    message: "this service is no longer offered",
    next: "Ask its owner to offer it again (tunnel_say with intent request).",
    nextForPerson: "Ask its owner to offer it again.",
    retryable: false,
  },
  "service-denied": {
    message: "the owner does not let you connect",
    next: "Tell your human. Do not try another way.",
    nextForPerson: "Talk to its owner.",
    retryable: false,
  },
  "service-undecided": {
    message: "the owner has not decided whether you may connect",
    next: "Tell your human. Call tunnel_connect again when the owner's human is there.",
    nextForPerson: "Talk to its owner, and connect again when they are there.",
    retryable: true,
  },
  "service-away": {
    message: "the owner of the service is not connected at the moment",
    next: "Call again when tunnel_status shows the owner connected. A listener that is open stays.",
    nextForPerson: "Try again when its owner is back.",
    retryable: true,
  },
  "service-busy": {
    message: "the owner of the service has as many connections as it lets in",
    next: "Close connections that are not needed, then call again.",
    nextForPerson: "Close connections that are not needed, then try again.",
    retryable: true,
  },
  "service-corrupt": {
    message: "bytes of a connection are not what the other end sealed",
    next: "The connection was cut. Connect again; if it happens again, tell your human.",
    nextForPerson: "The connection was cut. Connect again; if it happens again, talk to the other side.",
    retryable: true,
  },
  "service-port-taken": {
    message: "this port cannot be listened on here",
    next: "Give another port, or leave port out.",
    nextForPerson: "Give another port, or none.",
    retryable: false,
  },
  "service-shared-machine": {
    message: "other users are logged in on this machine, and each of them could use a TCP listener",
    next: "Tell your human: only they can allow it, with TUNNEL_SHARED_MACHINE. An http service has a key of its own and needs no such leave.",
    nextForPerson: "Log the others out, or set TUNNEL_SHARED_MACHINE if you trust them.",
    retryable: false,
  },
} as const satisfies ErrorArea;
