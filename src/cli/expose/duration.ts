import { EXPOSE } from "../../expose/exposures/limits.ts";

/** How a time is typed, for a sentence that says so. */
export const DURATION_FORM = `a time such as 2h, 90m, 1h30m or 45 (minutes), from 1m to ${EXPOSE.maxMinutes / 60}h`;

/** Hours and minutes, or minutes alone without a letter. */
const DURATION = /^(?=\d)(?:(\d{1,4})h)?(?:(\d{1,5})m?)?$/i;

/** @returns minutes; undefined for anything that is no such time, and beyond what is possible */
export function parseDuration(typed: string): number | undefined {
  const [whole, hours = "0", minutes = "0"] = DURATION.exec(typed.trim()) ?? [];
  if (whole === undefined) return undefined;
  const all = Number(hours) * 60 + Number(minutes);
  return all >= 1 && all <= EXPOSE.maxMinutes ? all : undefined;
}

/** For people: `43 min`, `2 h`, `1 h 30 min`, `20 s`. */
export function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  if (hours === 0) return `${minutes} min`;
  return rest === 0 ? `${hours} h` : `${hours} h ${rest} min`;
}
