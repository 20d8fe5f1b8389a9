import type { ErrorArea } from "../base/entry.ts";

/** Choosing a tunnel. */
export const TUNNELS = {
  "no-tunnel": {
    message: "no tunnel is open",
    next: "Open one with tunnel_open, or join one with tunnel_join and the link you were given.",
    nextForPerson: "Open one with `tunnel-mcp open`, or join one with `tunnel-mcp join`.",
    retryable: false,
  },
  "tunnel-ambiguous": {
    message: "several tunnels are open, and none of them was chosen",
    next: "Call again with tunnelId set to one of those listed.",
    nextForPerson: "Choose one of those listed with --tunnel.",
    retryable: false,
  },
  "tunnel-unknown": {
    message: "there is no tunnel with this id here",
    next: "Call tunnel_status: it lists the tunnels that are open.",
    nextForPerson: "Check the id, or leave --tunnel out.",
    retryable: false,
  },
  "tunnel-closed": {
    message: "this tunnel has ended",
    next: "Nothing more can be sent. Tell your human, and open or join a new tunnel if the work goes on.",
    nextForPerson: "Nothing more can be sent. Open or join a new tunnel if the work goes on.",
    retryable: false,
  },
  "too-many-tunnels": {
    message: "no more tunnels can be open at once",
    next: "Close one with tunnel_close first.",
    nextForPerson: "Close one first.",
    retryable: false,
  },
} as const satisfies ErrorArea;
