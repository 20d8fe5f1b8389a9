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
  "host-gone": {
    message: "the host's process has ended, and did not come back in the time for which it keeps a tunnel",
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
  "proxy-invalid": {
    message: "the proxy that the environment names cannot be used",
    next: "Ask your human to correct the variable, or to list the address in NO_PROXY, and to restart this server.",
    nextForPerson: "Correct the variable, or list the address in NO_PROXY, and start again.",
    retryable: false,
  },
  "proxy-unreachable": {
    message: "the proxy that the environment names does not answer",
    next: "Try again. If it keeps failing, ask your human whether HTTPS_PROXY names the right proxy.",
    nextForPerson: "Try again. If it keeps failing, see whether HTTPS_PROXY names the right proxy.",
    retryable: true,
  },
  "proxy-auth": {
    message: "the proxy asks for a user name and a password",
    next: "Ask your human to put them into HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT) and to restart this server.",
    nextForPerson: "Put them into HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT) and start again.",
    retryable: false,
  },
  "proxy-refused": {
    message: "the proxy does not let this connection through",
    next: "Tell your human: the network's rules forbid this address, or it has to be listed in NO_PROXY.",
    nextForPerson:
      "The network's rules forbid this address. Ask whoever runs the proxy, or list the address in NO_PROXY.",
    retryable: false,
  },
} as const satisfies ErrorArea;
