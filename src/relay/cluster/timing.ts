/** When a node proves itself to the others. Those who wait for the end of a lease wait for longer than it lasts, since clocks run at different rates. */
export const CLUSTER = {
  /** Between two renewals of a node's lease. */
  renewMs: 300,
  /** A lease lasts so long from the moment at which its renewal was sent. */
  leaseMs: 1_200,
  /** Others take it for over so long after they have closed it. */
  fencedMs: 1_350,
  /** Nodes that give their word for another one while the engine does not answer it. */
  witnesses: 2,
  /** Between two looks for them. */
  chooseMs: 2_000,
  /** A node that has not renewed its lease for so long, by the engine's clock, is no witness. */
  quietMs: 3_000,
  /** Witnesses are asked when the engine has not answered for so long, and again after a while. */
  askAfterMs: 600,
  askAgainMs: 300,
  /** For one answer of a witness. */
  witnessMs: 1_000,
  /** Words of witnesses count for so long after the last renewal. */
  wordsMs: 30_000,
  /** A node that takes a claim of one whose witnesses are all gone waits until their words count no more. */
  wordlessMs: 34_000,
  /** A witness whose engine answers it, and not this node for so long: this node is cut off from it. */
  cutOffMs: 5_000,
  /** New claims are taken up to so long after a renewal. */
  readyMs: 2_000,
  /** For one answer of the engine. */
  engineMs: 1_000,
  /** A claim is tried for so long while the engine does not answer: a new leader of it takes some seconds. */
  claimMs: 6_000,
  /** Between two of these attempts. */
  againMs: 200,
  /** For one answer of another node. */
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
