import type { Tunnel } from "../provider.ts";

/** The times by which a tunnel is judged, in ms. */
const TIMES = {
  /** A degraded first tunnel keeps its place for so long: most recover in that time, and moving costs everybody a reconnection. */
  silentMs: 10_000,
  /** A tunnel that has not led here for so long is not counted on any more, and not worth keeping unless somebody may dial it. */
  staleMs: 60_000,
  /** A stale tunnel that leads here again is on trial for so long: until then none that could do without it is let go. */
  trialMs: 10_000,
} as const;

export const STALE_MS = TIMES.staleMs;

/** A tunnel in the pool. The times count looks and not the clock: a machine that sleeps loses nothing by it. */
export interface Line {
  readonly tunnel: Tunnel;
  readonly openedAt: number;
  /** How long it has not led here; undefined while it does. */
  degradedMs: number | undefined;
  /** How long it leads here again after it was stale; undefined when that is long ago, or never was. */
  trialMs: number | undefined;
  unsubscribe: () => void;
}

/** Everybody who is not here and may still come, as the addresses that each may dial. */
export type Absent = readonly (readonly string[])[];

export function isUp({ degradedMs }: Line): boolean {
  return degradedMs === undefined;
}

export function isSilent({ degradedMs }: Line): boolean {
  return degradedMs !== undefined && degradedMs >= TIMES.silentMs;
}

export function isStale({ degradedMs }: Line): boolean {
  return degradedMs !== undefined && degradedMs >= TIMES.staleMs;
}

/** It was found to lead here, `passedMs` after the last look. */
export function seenUp(line: Line, passedMs: number): void {
  if (isStale(line)) line.trialMs = 0;
  else if (line.trialMs !== undefined) line.trialMs += passedMs;
  if ((line.trialMs ?? 0) >= TIMES.trialMs) line.trialMs = undefined;
  line.degradedMs = undefined;
}

/** It was found not to lead here, `passedMs` after the last look. */
export function seenDegraded(line: Line, passedMs: number): void {
  line.degradedMs = line.degradedMs === undefined ? 0 : line.degradedMs + passedMs;
}

/** Best first: one that leads here takes the place of a first one that has been silent, and the stale ones come last. */
export function inOrder(lines: readonly Line[]): Line[] {
  const [first] = lines;
  if (first === undefined) return [];
  const top = (isSilent(first) ? lines.find(isUp) : undefined) ?? first;
  const others = lines.filter((line) => line !== top);
  return [top, ...others.filter((line) => !isStale(line)), ...others.filter(isStale)];
}

export function isNeeded({ tunnel }: Line, absent: Absent): boolean {
  return absent.some((urls) => urls.includes(tunnel.url));
}

/** Those that work and are more than `wanted`: the youngest, since members who have come back came by the others. */
export function surplusOf(lines: readonly Line[], wanted: number): Line[] {
  const working = lines.filter((line) => !isStale(line));
  if (working.some(({ trialMs }) => trialMs !== undefined)) return [];
  return working
    .toSorted((one, other) => Number(isUp(other)) - Number(isUp(one)) || one.openedAt - other.openedAt)
    .slice(wanted);
}

/** The one behind the first whose end leaves the fewest of those who are absent without any address, and the oldest of such. */
export function leastMissed(lines: readonly Line[], absent: Absent): Line | undefined {
  const missing = (line: Line): number => {
    const others = lines.filter((one) => one !== line).map(({ tunnel }) => tunnel.url);
    const left = (urls: readonly string[]): boolean => urls.some((url) => others.includes(url));
    return absent.filter((urls) => urls.includes(line.tunnel.url) && !left(urls)).length;
  };
  return lines
    .slice(1)
    .toSorted(
      (one, other) =>
        Number(isStale(other)) - Number(isStale(one)) ||
        missing(one) - missing(other) ||
        one.openedAt - other.openedAt,
    )[0];
}
