/** Times and sizes as the page writes them. */

/** @param ms may be negative: then it is over */
export function left(ms: number): string {
  const all = Math.max(0, Math.round(ms / 1_000));
  if (all < 60) return `${all} s`;
  const minutes = Math.round(all / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest === 0 ? "" : ` ${rest} min`}`;
}

export function clock(ts: number | string): string {
  const date = new Date(ts);
  return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** A digest in three short groups, to be compared by eye with another view. */
export const digest = (hex: string): string => [0, 4, 8].map((at) => hex.slice(at, at + 4)).join(" ");
