import type { ErrorArea } from "../base/entry.ts";

/** Choosing a tunnel. */
export const TUNNELS = {
  "no-tunnel": {
    message: "no tunnel is open",
    next: "Where `resumable` is here, go on with one of those: tunnel_join with `resume`. Otherwise open one with tunnel_open, or join one with tunnel_join and the link that you were given.",
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
    next: "Call tunnel_status: it lists the tunnels that are open, and in `resumable` those that tunnel_join goes on with.",
    nextForPerson:
      "Check the id, or leave it out. `tunnel-mcp kept` lists the tunnels whose program has ended, with their folders.",
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
  "nothing-kept": {
    message: "there is no tunnel of this folder to go on with",
    next: "Open a tunnel with tunnel_open, or join one with tunnel_join.",
    nextForPerson:
      "Run `tunnel-mcp resume` in the folder of the tunnel: `tunnel-mcp kept` lists them. A tunnel that was closed, or whose time is over, is not kept.",
    retryable: false,
  },
  "stays-ambiguous": {
    message: "there are several tunnels of this folder to go on with, and none of them was chosen",
    next: "Call tunnel_join with `resume` set to one of those listed.",
    nextForPerson: "Run `tunnel-mcp resume` with the id of one of those listed.",
    retryable: false,
  },
  "stay-not-kept": {
    message:
      "a tunnel goes on, but it will not survive a restart, since nothing of it can be kept on this disk",
    next: "Tell your human: the disk is full, or no private folder can be written to. The tunnel itself is not affected.",
    nextForPerson:
      "Make room on the disk, or let the state folder of your home be written to. The tunnel itself is not affected.",
    retryable: false,
  },
  "stay-in-use": {
    message: "another process of this machine has this tunnel",
    next: "Go on where it is open. If that process has just ended, call again in a few seconds.",
    nextForPerson: "Go on where it is open. If that process has just ended, try again in a few seconds.",
    retryable: true,
  },
  "stay-copied": {
    message: "what was kept of this tunnel is a copy, and only the original may go on",
    next: "Take it up where it was kept first. If that is gone, ask for a new link and call tunnel_join with it.",
    nextForPerson: "Take it up where it was kept first, or ask for a new link.",
    retryable: false,
  },
  "stay-outdated": {
    message: "what was kept of this tunnel is older than what its members have seen since",
    next: "This stay is over: to go on from here would say something else under numbers that are used. Open or join a new tunnel.",
    nextForPerson: "This stay is over. Open or join a new tunnel.",
    retryable: false,
  },
  "stay-unreadable": {
    message: "what was kept of this tunnel cannot be read",
    next: "Ask for a new link and call tunnel_join with it, or open a new tunnel.",
    nextForPerson: "Ask for a new link, or open a new tunnel.",
    retryable: false,
  },
  "stay-version": {
    message: "what was kept of this tunnel is of another version of tunnel-mcp",
    next: "Tell your human: the version that kept it can take it up. Otherwise ask for a new link.",
    nextForPerson: "The version that kept it can take it up. Otherwise ask for a new link.",
    retryable: false,
  },
} as const satisfies ErrorArea;
