import { ERRORS, type ErrorCode } from "../../../errors/tunnel-error.ts";
import type { SessionEnd } from "../../../session/handle.ts";
import type { SystemEventView } from "../../../view/entries.ts";
import type { StatusView } from "../../../view/status.ts";

/** Next steps for somebody who has slash commands and no tools; everything else is said as the table of errors says it. */
const NEXT: Partial<Record<ErrorCode, string>> = {
  "input-invalid": "Correct it and send it again.",
  "reply-unknown": "Use the seq of a message that was printed here, or leave replyTo out.",
  "invite-refused":
    "Ask the host for a new invite. If you have not used this one, tell the host: somebody else may have.",
  "host-not-authentic": "Do not try again. Ask the host for a new link over a channel that you trust.",
  "handshake-timeout": "Try again; if it persists, ask the host whether the tunnel is still open.",
  "own-link": "Give the link to the other person. You are in the tunnel already.",
  "already-joined": "You are in this tunnel already.",
  "no-tunnel": "Open one with `tunnel-mcp open`, or join one with `tunnel-mcp join`.",
  "tunnel-ambiguous": "Name one of the listed tunnels.",
  "tunnel-unknown": "Open one with `tunnel-mcp open`, or join one with `tunnel-mcp join`.",
  "tunnel-closed": "Nothing more can be sent. Open or join a new tunnel if the work goes on.",
  "too-many-tunnels": "Close one first.",
  "invite-limit": "Wait for a pending invite to be used or to expire, or remove somebody.",
  "invite-unknown": "The status shows the pending invites.",
  "address-lost": "Wait: a new one is opened by itself, and you are told when it is there. Then try again.",
  "link-other-host":
    "Do not use this link: it may be forged. Ask the host for a new one over another channel.",
  "member-unknown":
    "Use the names of those who are there, as they are shown (by /who, or the event `presence`). You yourself cannot be meant.",
  "nobody-joined": "Give the invite to the other person and wait until they have joined; then send it again.",
  "outbox-full": "Wait until the others have caught up or are back, and send it again.",
  "integrity-failed":
    "Somebody on the path may be tampering. A new connection with fresh keys is tried by itself.",
  "order-broken":
    "Stop relying on this tunnel if you are its guest: everything reaches you through the host. If you are its host, a member has sent it.",
  "host-equivocation": "Stop relying on this tunnel.",
  "cloudflared-hash-mismatch":
    "Run `tunnel-mcp doctor`. If a fresh download fails too, something between you and the release page alters files.",
  "cloudflared-edge-lost": "Nothing: another tunnel takes its place by itself; /status shows how it goes.",
  cancelled: "Start it again if you still need it.",
  "file-unknown": "/files, or the event `file`, shows what is offered. Or ask the sender to share it again.",
  "note-invalid": "Give up to 500 characters of plain text, or say it as a message.",
  "file-own": "It lies where it was shared from.",
  "file-stalled": "See whether its sender is connected, and receive it again.",
  "file-too-short": "Ask the sender to share the file again; if it persists, do not trust that sender.",
  "file-too-long": "Do not trust this sender: an honest one does not do this.",
  "file-unfinished": "Do not trust this sender: an honest one does not do this.",
  "file-out-of-order": "Do not trust this sender: an honest one does not do this.",
  "file-corrupt": "Receive it again; if it persists, somebody on the path or the sender alters it.",
  "file-hash-mismatch": "Ask the sender to share the file again; if it persists, do not trust that sender.",
  "transfer-limit": "Wait until one is done, and try again.",
  "path-outside":
    "Choose a place in the folder in which you started this. TUNNEL_SAVE_ROOTS allows other folders for saving, TUNNEL_SHARE_ROOTS for sharing.",
  "path-protected": "Save it under another name, read it, and move it there yourself if it belongs there.",
  "save-exists":
    "Choose another name; or, if it is to be replaced, say so: --overwrite, or overwrite in JSON.",
  "share-not-found": "Check the path: it is relative to the folder in which you started this.",
  "no-server":
    "Open or join a tunnel in an agent's client first; it must run as the same user on this machine.",
  "control-failed": "Try again. If it persists, look into the client that runs the server.",
  "share-sensitive":
    "Share something else, without the secret. If it is none, start again with its absolute path in TUNNEL_SHARE_ALLOW.",
};

/** The next step of an error, for a person at a terminal. */
export function nextStep(code: ErrorCode): string {
  return NEXT[code] ?? ERRORS[code].next;
}

/** An error as two lines: what happened, what to do. */
export function errorText(error: {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail?: string | undefined;
}): string {
  const { code, message, detail } = error;
  // Nobody at a keyboard thinks of what they type as arguments.
  const what = code === "input-invalid" ? `that was not understood: ${detail ?? ""}` : message;
  return `${what} (${code})\n${nextStep(code)}`;
}

/** Milliseconds in words, as precisely as somebody needs who decides whether to wait. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}

const LEFT = {
  left: "left",
  lost: "was unreachable for too long and has been given up",
  removed: "was removed by the host",
  "fell-behind": "was away for too long to catch up and has been given up",
} as const;

const ENDED = {
  closed: "The host has closed the tunnel.",
  idle: "The tunnel has ended because nobody did anything in it.",
  "host-stopped": "The tunnel has ended because the host's program has.",
} as const;

/** A change of the room in words. @param name of the member it concerns, safe to print */
export function systemText(event: SystemEventView, name: string): string {
  switch (event.event) {
    case "joined":
      return `${name} has joined`;
    case "left":
      return `${name} ${LEFT[event.cause]}`;
    case "idle-warning":
      return `Nobody has done anything here for a while: the tunnel ends in ${duration(event.endsInSec * 1_000)} unless somebody does. Pressing a key is enough.`;
    case "ended":
      return ENDED[event.cause];
  }
}

const END: Readonly<Record<Exclude<SessionEnd["cause"], "failed">, string>> = {
  "closed-here": "You have left.",
  "closed-by-host": "The host has closed the tunnel.",
  idle: "The tunnel has ended because nobody did anything in it.",
  "host-stopped": "The tunnel has ended because the host's program has.",
  removed: "The host has removed you from the tunnel.",
};

export function endText(end: SessionEnd, role: StatusView["role"]): string {
  if (end.cause === "closed-here" && role === "host") return "You have closed the tunnel.";
  return end.cause === "failed" ? `The tunnel has failed: ${errorText(end.error)}` : END[end.cause];
}
