/** The limits of the authorization server. Everything with a number in it is here; times are in ms. */
export const OAUTH = {
  accessTokenMs: 30 * 60_000,
  /** A client that comes back no sooner signs in anew. */
  refreshTokenMs: 14 * 24 * 60 * 60_000,
  authorizationCodeMs: 60_000,
  /** A code that was used is remembered for so long, so that a second use is noticed. */
  usedCodeMs: 60 * 60_000,
  /** For the code that the owner types. */
  signInMs: 10 * 60_000,
  /** Wrong codes of one sign-in, before it is over. */
  tries: 10,
  signIns: 128,
  /** Codes of clients, used ones included. */
  codes: 256,
  /** Clients that are signed in; the one that was not seen for the longest gives way. */
  grants: 32,
  accessTokens: 8,
  /** Used refresh tokens of one grant that are recognized. */
  usedRefreshTokens: 256,
  /** Registrations that were never signed in with. */
  strangers: 256,
  strangerMs: 60 * 60_000,
  /** Registrations that were. */
  known: 64,
  registrationBytes: 8 * 1_024,
  formBytes: 16 * 1_024,
  redirects: 16,
  redirectChars: 512,
  nameChars: 60,
  stateChars: 4_096,
  clientIdChars: 512,
  /** A document holds for so long. */
  documentMs: 5 * 60_000,
  documents: 32,
  fetches: 4,
} as const;

/** The fetch of a client's document. */
export const DOCUMENT_FETCH = {
  maxBytes: 16 * 1_024,
  timeoutMs: 5_000,
  accept: "application/json",
} as const;

/** Sign-ins that are begun: each makes a code appear in front of a person. */
export const SIGN_IN_RATE = {
  perSource: 10,
  sourceRefillMs: 30_000,
  overall: 40,
  overallRefillMs: 10_000,
  maxSources: 1_024,
} as const;

export const REGISTRATION_RATE = {
  perSource: 20,
  sourceRefillMs: 30_000,
  overall: 80,
  overallRefillMs: 10_000,
  maxSources: 1_024,
} as const;

/** Wrong codes over all sign-ins. */
export const GUESS_RATE = {
  perSource: 20,
  sourceRefillMs: 60_000,
  overall: 60,
  overallRefillMs: 60_000,
  maxSources: 1_024,
} as const;
