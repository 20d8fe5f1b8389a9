import { nextForPerson } from "../../../errors/tunnel-error.ts";
import type { SessionEnd } from "../../../session/session.ts";
import type { SystemEventView } from "../../../view/entries.ts";
import type { ErrorView } from "../../../view/errors.ts";
import type { StatusView } from "../../../view/status.ts";

/** An error as two lines: the failure with its code, then the next step for a person. */
export function errorText({ code, message }: Pick<ErrorView, "code" | "message">): string {
  return `${message} (${code})\n${nextForPerson(code)}`;
}

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
  ...ENDED,
  "closed-here": "You have left.",
  "closed-by-host": ENDED.closed,
  removed: "The host has removed you from the tunnel.",
};

export function endText(end: SessionEnd, role: StatusView["role"]): string {
  if (end.cause === "closed-here" && role === "host") return "You have closed the tunnel.";
  return end.cause === "failed" ? `The tunnel has failed: ${errorText(end.error)}` : END[end.cause];
}
