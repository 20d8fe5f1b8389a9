/** The numbers on which a host and a relay agree. */
export const UPLINK = {
  /** The version of everything in this folder. A relay names those that it speaks. */
  version: 1,
  /** Where a host registers: a WebSocket. */
  hostPath: "/_tunnel/host",
  /** Where a host fetches one guest, followed by the guest's ticket: an upgrade, then bare bytes. */
  guestPath: "/_tunnel/guest/",
  /** From the connection to the end of the registration, in ms. */
  registerMs: 10_000,
  /** From the notice of a guest until the host has fetched it, in ms. */
  fetchMs: 6_000,
  /** A line that says nothing is pinged after so long … */
  pingMs: 15_000,
  /** … and given up after so long. */
  silentMs: 40_000,
  /** A text message of either side. */
  maxTextBytes: 4 * 1024,
  /** A piece of HTTP/2. */
  maxPieceBytes: 256 * 1024,
  nonceBytes: 32,
  keyBytes: 32,
  signatureBytes: 64,
  ticketBytes: 16,
  maxTokenChars: 512,
} as const;

/** The field in which a relay names the source of a visitor: an address for HTTP, a tag that names nobody for a room. */
export const SOURCE_FIELD = "tunnel-source";
