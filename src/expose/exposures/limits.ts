/** The limits of exposing. Everything with a number in it is here. */
export const EXPOSE = {
  /** Exposures that run in one server at once. */
  maxRunning: 8,
  defaultMinutes: 60,
  maxMinutes: 24 * 60,
  /** Claim links of one exposure that nobody has used yet. */
  maxClaims: 32,
  maxOpenPaths: 16,
  maxNameChars: 40,
  /** After its end an address still says so for as long as it takes a visitor to see it, in ms. */
  goneMs: 10_000,
  /** Before its end an agent and a person are told, in ms. */
  warnings: [10 * 60_000, 60_000],
  /** Ended exposures that are kept, over all servers of this user. */
  history: 100,
} as const;
