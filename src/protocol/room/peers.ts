import type { Presence } from "./participant.ts";

/** Those whom this participant can speak to: no observers, who are nobody's audience and whom nobody waits for (Q5). */
export function peersAmong<Who extends Pick<Presence, "isSelf" | "role">>(present: readonly Who[]): Who[] {
  return present.filter(({ isSelf, role }) => !isSelf && role === undefined);
}
