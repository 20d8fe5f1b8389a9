/** When a node proves itself to the others. Those who wait for the end of a lease wait for longer than it lasts, since clocks run at different rates. */
export const CLUSTER = {
  /** Between two renewals of a node's lease. */
  renewMs: 500,
  /** A lease lasts so long from the moment at which its renewal was sent. */
  leaseMs: 2_000,
  /** Others take it for over so long after they have closed it. */
  fencedMs: 2_200,
  /** For one answer of the engine. */
  engineMs: 1_000,
  /** A claim is tried for so long while the engine does not answer: a new leader of it takes some seconds. */
  claimMs: 6_000,
  /** Between two of these attempts. */
  againMs: 200,
  /** For one answer of another node, by the engine. */
  nodeMs: 300,
  /** A lease that nobody renews is forgotten by the engine after so long. */
  forgottenMs: 60_000,
  /** A found owner is believed for so long; while the engine is away, for longer. */
  foundMs: 5_000,
  foundAwayMs: 60_000,
  /** Found owners that a node remembers, and names that it knows to be nobody's. */
  maxFound: 100_000,
  /** Claims that are looked at at once, after a lease was lost. */
  verifying: 64,
  /** Between two looks for names to forget. */
  sweepMs: 10 * 60_000,
} as const;
