/** Milliseconds as whole seconds, the unit of every age and deadline that is shown; never negative. */
export function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1000));
}

/** A moment in ms since the epoch as ISO 8601 in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
