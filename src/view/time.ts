/** Milliseconds as whole seconds, which is what results show; never negative. */
export function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1000));
}
