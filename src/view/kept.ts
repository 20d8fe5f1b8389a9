import type { KeptTunnel } from "../session/resumable.ts";
import { isoTime } from "./time.ts";

/** A tunnel whose program has ended, as programs get it. */
export interface KeptView extends Omit<KeptTunnel, "keptUntil"> {
  /** ISO 8601 */
  readonly keptUntil: string;
}

export function keptView({ keptUntil, ...facts }: KeptTunnel): KeptView {
  return { ...facts, keptUntil: isoTime(keptUntil) };
}

/** How a person goes on with it in a terminal. */
export const resumeCommand = ({ tunnelId }: Pick<KeptTunnel, "tunnelId">): string =>
  `tunnel-mcp resume ${tunnelId}`;
