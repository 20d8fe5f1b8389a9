import type { ErrorArea } from "../base/entry.ts";

/** Alarms: what arrived is not what an honest peer sends over an honest path. */
export const INTEGRITY = {
  "integrity-failed": {
    message:
      "data arrived that was altered, replayed, reordered or not made by the peer, so the connection was cut",
    next: "Tell your human: somebody on the path may be tampering. A new connection with fresh keys is tried automatically.",
    nextForPerson:
      "Somebody on the path may be tampering. A new connection with fresh keys is tried automatically.",
    retryable: true,
  },
  "protocol-violation": {
    message: "the other side sent something the protocol does not allow, so the connection was cut",
    next: "Tell your human. If both sides run the same version of tunnel-mcp, the other one is broken or hostile.",
    nextForPerson:
      "Check that both sides run the same version of tunnel-mcp. If they do, the other one is broken or hostile.",
    retryable: false,
  },
  "order-broken": {
    message: "the conversation was changed: a message was altered, invented, left out, repeated or moved",
    next: "Tell your human. As a guest, stop relying on this tunnel: the host passes on every message. As the host, suspect the member that sent it.",
    nextForPerson:
      "As a guest, stop relying on this tunnel: the host passes on every message. As the host, suspect the member that sent it.",
    retryable: false,
  },
  "message-unreadable": {
    message: "a message for this side only could not be opened, because its sender sealed it wrongly",
    next: "Ask the sender to send it again. If it keeps failing, ask your human to check that both sides run the same version of tunnel-mcp.",
    nextForPerson:
      "Ask the sender to send it again. If it keeps failing, check that both sides run the same version of tunnel-mcp.",
    retryable: false,
  },
  "offer-unreadable": {
    message:
      "a member offered a file in a form that the protocol does not allow, or under the id of another file",
    next: "Nothing of it is shown or received. Ask the sender to share the file again. If it keeps failing, check that both sides run the same version of tunnel-mcp.",
    retryable: false,
  },
  "host-equivocation": {
    message: "the host has shown different members different conversations",
    next: "Stop relying on this tunnel and tell your human.",
    nextForPerson: "Stop relying on this tunnel.",
    retryable: false,
  },
} as const satisfies ErrorArea;
