/** Milliseconds as whole seconds, the unit of every age and deadline that is shown; never negative. */
export function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1000));
}

/** A moment in ms since the epoch as ISO 8601 in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
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
