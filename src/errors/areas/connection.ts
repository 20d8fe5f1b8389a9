import type { ErrorArea } from "../base/entry.ts";

/** Reaching the host, and the handshake. */
export const CONNECTION = {
  "host-not-authentic": {
    message: "the machine that answered does not hold the host's key, so nothing was revealed to it",
    next: "Do not try again. Tell your human, and ask the host for a new link over a channel you trust.",
    nextForPerson: "Do not try again. Ask the host for a new link over a channel you trust.",
    retryable: false,
  },
  "host-unreachable": {
    message: "the host does not answer at its address",
    next: "Check with the host that the tunnel is still open, then try again. A new address can take half a minute to work.",
    retryable: true,
  },
  "host-name-unknown": {
    message: "the host's name is not known to DNS",
    next: "Try again shortly: a new name can take half a minute to appear. If it keeps failing, ask the host for a new link.",
    retryable: true,
  },
  "not-a-tunnel": {
    message: "something answers at this address, but it is not a tunnel-mcp host",
    next: "Ask the host whether the tunnel is still open, and for a new link.",
    retryable: false,
  },
  "tunnel-gone": {
    message: "the tunnel is no longer open at this address",
    next: "Ask the host to open a new tunnel and to send a new link.",
    retryable: false,
  },
  "version-unsupported": {
    message: "the two sides speak different versions of the protocol",
    next: "Ask both humans to update tunnel-mcp.",
    nextForPerson: "Update tunnel-mcp on both sides.",
    retryable: false,
  },
  "handshake-timeout": {
    message: "the other side did not finish the handshake in time",
    next: "Try again. If it keeps failing, ask the host whether the tunnel is still open.",
    retryable: true,
  },
} as const satisfies ErrorArea;
