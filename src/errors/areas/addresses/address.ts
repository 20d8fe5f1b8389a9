import { TRIED_AGAIN, type ErrorArea } from "../../base/entry.ts";
import { AGENT_DIRECT, PERSON_DIRECT, RESTART } from "../../base/steps.ts";

/** The address of a tunnel, public and on this machine, whatever provides it. */
export const ADDRESS = {
  "address-lost": {
    message: "the public address of this tunnel is lost, and there is no new one yet",
    next: "Wait: a new one is opened automatically (tunnel_status shows the next attempt). Then call again.",
    nextForPerson:
      "Wait: a new one is opened automatically, and you are told when it is there. Then try again.",
    retryable: true,
  },
  "address-silent": {
    message: "no address of this tunnel leads here at the moment, so nobody can reach it",
    next: "Wait: the addresses are kept and tried again, and new ones are opened. Members come back by themselves, and nothing said is lost; tunnel_status shows how it goes. If it lasts, ask your human whether this machine is online.",
    nextForPerson:
      "Wait: the addresses are kept and tried again, and new ones are opened. If it lasts, see whether this machine is online.",
    retryable: true,
  },
  "address-not-live": {
    message: "the tunnel is up, but its public name could not be reached in time",
    next: `Try again. If it keeps failing because DNS-over-HTTPS is blocked here, ask your human to set TUNNEL_SKIP_REACHABILITY_CHECK=1 ${RESTART}. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Try again. If DNS-over-HTTPS is blocked here, set TUNNEL_SKIP_REACHABILITY_CHECK=1. Or ${PERSON_DIRECT}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "port-in-use": {
    message: "the port in TUNNEL_PORT is in use by another program",
    next: `Ask your human to choose another TUNNEL_PORT or to unset it (any free port is taken then), ${RESTART}.`,
    nextForPerson: "Choose another TUNNEL_PORT, or unset it to take any free port.",
    retryable: false,
  },
  "port-in-use-here": {
    message: "the port in TUNNEL_PORT is in use by another tunnel of this very server, at another address",
    next: `Open this tunnel with the transport of the other one, or close that first (tunnel_close): tunnels with the same address share the port. Or ask your human to unset TUNNEL_PORT (any free port is taken then) ${RESTART}.`,
    nextForPerson:
      "Open both with the same transport, or close the other one first: tunnels with the same address share the port. Or unset TUNNEL_PORT to take any free port.",
    retryable: false,
  },
  "port-in-use-ours": {
    message: "the port in TUNNEL_PORT is in use by another tunnel-mcp server of this user",
    next: `Ask your human to close the tunnel there, or to give this server another TUNNEL_PORT or none (any free port is taken then) ${RESTART}.`,
    nextForPerson:
      "Close the tunnel there, or choose another TUNNEL_PORT, or unset it to take any free port.",
    retryable: true,
  },
  "bind-failed": {
    message: "nothing can listen on the address in TUNNEL_BIND",
    next: `Ask your human to set TUNNEL_BIND to an address of this machine or to unset it, ${RESTART}.`,
    nextForPerson: "Set TUNNEL_BIND to an address of this machine, or unset it.",
    retryable: false,
  },
} as const satisfies ErrorArea;
