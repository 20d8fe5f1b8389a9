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
