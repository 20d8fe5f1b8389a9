const SECOND = 1_000;

/** Services that this process offers and takes. Sizes in bytes, times in ms. */
export const SERVICES_LIMITS = {
  /** Offers of one tunnel that are not over. */
  maxOffers: 32,
  /** Listeners of this process. */
  maxListeners: 16,
  /** Ports of the page on which a person will watch: no listener of a service is ever there, so that no cookie meets its own. */
  pagePorts: { first: 28_600, last: 28_699 },
  /** A connection that is asked for waits so long for its owner's person. */
  askedMs: 60 * SECOND,
  /** The answer of an MCP server that a person has to let go: shorter than clients wait for a call. */
  resultMs: 45 * SECOND,
  /** An MCP server that is offered or taken must have said what it is. */
  surveyMs: 20 * SECOND,
  /** The service must take a connection within this time. */
  dialMs: 10 * SECOND,
  /** The head of the first request of a connection. */
  firstHeadMs: 60 * SECOND,
  /** Sockets that wait here for a place, and for how long. */
  maxQueued: 1_024,
  queueMs: 60 * SECOND,
  /** While the owner is cut off, a new connection waits so long before it is refused. */
  awayMs: 5 * SECOND,
  /** Where the owner, or the host, has no place at the moment. */
  retryMs: 250,
  /** A connection on which nothing is taken in for so long gives its place to one that waits. */
  stallMs: 60 * SECOND,
  /** Streams opened at once and then each second: below what a host reads from a member (PROTOCOL E1), with room for messages. */
  openBurst: 200,
  opensPerSecond: 50,
  /** Salts that an owner remembers of each offer, so that no request is good twice. */
  maxSalts: 4_096,
} as const;

export function isPagePort(port: number): boolean {
  const { first, last } = SERVICES_LIMITS.pagePorts;
  return first <= port && port <= last;
}
