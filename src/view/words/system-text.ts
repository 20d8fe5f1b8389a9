import type { ObserverRole } from "../../protocol/handshake/role.ts";
import type { SystemEventView } from "../entries.ts";

/** Milliseconds in words, precise enough to decide whether to wait. */
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
  expired: "reads along no longer: that time is over",
} as const;

/** Why a room is over, as a sentence. */
export const ENDED = {
  closed: "The host has closed the tunnel.",
  idle: "The tunnel has ended because nobody did anything in it.",
  "host-stopped": "The tunnel has ended because the host's program has.",
} as const;

function joinedText(name: string, role: ObserverRole | undefined): string {
  if (role === undefined) return `${name} has joined`;
  const from = role === "observer" ? "from now on" : "from the beginning";
  return `${name} reads along ${from}, as an observer: they see what is said to everybody, and can say nothing`;
}

/** A change of the room in words. @param name of the member it concerns, safe to print */
export function systemText(event: SystemEventView, name: string): string {
  switch (event.event) {
    case "joined":
      return joinedText(name, event.role);
    case "left":
      return `${name} ${LEFT[event.cause]}`;
    case "idle-warning":
      return `Nobody has done anything here for a while: the tunnel ends in ${duration(event.endsInSec * 1_000)} unless somebody does. Pressing a key is enough.`;
    case "ended":
      return ENDED[event.cause];
    case "returned":
      return `The host, ${name}, is back after a restart`;
  }
}
