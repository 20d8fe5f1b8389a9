import { INPUT_LIMITS } from "../../errors/base/limits.ts";

/**
 * Every number of the protocol and its reason. Checked before memory is taken; derived values are computed, so that
 * two of them cannot drift apart.
 */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const PROTOCOL_VERSION = 1;

/** Before a peer has proved anything (PROTOCOL §4.2): small, because anybody on the internet can cause it. */
export const PRE_AUTH = {
  /** The longest handshake message is a confirmation record in the 1 KiB bucket. */
  maxFrameBytes: KIB,
  /** All that a socket may send before it is a member: one AUTH, one CONFIRM, WebSocket framing and pings. */
  maxTotalBytes: 4 * KIB,
  /** From accepted socket to CONFIRM; a slow mobile link needs three round trips. */
  deadlineMs: 10 * SECOND,
  /** Waiting sockets in all; further ones are turned away. */
  maxSockets: 32,
  /** At most this many of them from one source address, where the edge reports it. */
  maxSocketsPerSource: 8,
  /** Failed proofs that one source may cause at once … */
  failureBurst: 10,
  /** … and how fast it earns another one. */
  failureRefillMs: 6 * SECOND,
  /** Sources remembered for the failure rate; the oldest are forgotten first. */
  maxSources: 1024,
} as const;

/** Whole WebSocket messages a sealed record may fill (R3). 17 bytes of each are kind and tag. */
export const RECORD_BUCKETS = [256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 128 * KIB] as const;

export const RECORD = {
  maxFrameBytes: 128 * KIB,
  /** Kind byte and Poly1305 tag. */
  overheadBytes: 1 + 16,
  /** Frame type and u32 length inside the seal. */
  headerBytes: 1 + 4,
  rekeyAfterRecords: 2 ** 20,
  rekeyAfterBytes: 1024 * MIB,
  rekeyAfterMs: 15 * MINUTE,
} as const;

export const ROOM = {
  /** Members at once, the host included. */
  maxMembers: 64,
  /** Members in all the time of a room: everybody remembers who was there, since nobody comes back by another invite (O11). */
  maxMembersEver: 65_536,
  /** Observers at once, beside the members; with the shortest names that still say who it is they fit into a WELCOME beside 64 members. */
  maxObservers: 4,
  maxObserverNameChars: 16,
  /** How long a claim keeps other holders of the same link out, and its own retries in. */
  claimHoldMs: 30 * SECOND,
  maxTextBytes: INPUT_LIMITS.textBytes,
  maxNameChars: INPUT_LIMITS.nameChars,
  maxGoalChars: INPUT_LIMITS.goalChars,
  /** Messages and bytes of text that the host and each member keep for reading back. */
  maxTranscriptEntries: 5_000,
  maxTranscriptBytes: 16 * MIB,
  /** Frames and bytes of the time before it that a new member is given at most, where the host wants that; half an outbox. */
  maxHistoryEntries: 2_000,
  maxHistoryBytes: 4 * MIB,
  /** The longest time without activity that a host may choose, with an ample margin over what a setting offers. */
  maxIdleMs: 7 * 24 * 60 * MINUTE,
  /** The longest time for which a host may promise to come back after its process ended, in seconds. */
  maxKeptForSec: 24 * 3_600,
  idleWarningMs: 5 * MINUTE,
  /** Activity of a member is reported to the host at most this often. */
  activityEveryMs: 15 * SECOND,
} as const;

/** How long an observer may read along, in minutes: its host's choice for each link. */
export const OBSERVER = { defaultMinutes: 60, maxMinutes: 7 * 24 * 60 } as const;

/** The work context; it must fit into the first confirmation beside the longest name. */
export const CARD = {
  maxLabelChars: 100,
  /** Size of its JSON. */
  maxBytes: 384,
} as const;

export const LINK = {
  /** Both sides ping; under the shortest idle cut seen at an edge. */
  pingEveryMs: 20 * SECOND,
  /**
   * How long a peer may stay silent that has something to answer. Any record is a sign of life and every frame that
   * arrives is acknowledged, so only one that takes longer than this on its own (128 KiB at 70 kbit/s) is mistaken.
   */
  answerMs: 15 * SECOND,
  /** An acknowledgement waits this long for a frame to ride on. */
  ackDelayMs: 50,
  /** So many acknowledgements of the host's words go out without delay in that time: more at once are no conversation. */
  promptAcks: 8,
  /** Presence is told at most this often for each member there is: it goes to all, and holds all. */
  presenceEveryMs: 25,
  /** … but no more than this many frames go unacknowledged. */
  ackEveryFrames: 32,
  /** Durable frames kept until the peer has confirmed them; a full outbox is an error to the caller. */
  maxOutboxFrames: 10_000,
  maxOutboxBytes: 8 * MIB,
  /** Bytes that the header of a message may add to its text, with 63 recipients named. */
  frameAllowanceBytes: 8 * KIB,
  /** Bytes of durable frames on their way at once; the next ones wait for acknowledgements, so a slow link is not drowned. */
  windowBytes: MIB,
  /** Bytes a socket may have buffered for a reader that does not read, before it is cut (it may resume). */
  maxSendBufferBytes: 4 * MIB,
  /** From dialling to WELCOME. */
  connectTimeoutMs: 15 * SECOND,
  /** A dial that has not answered for so long does not hold the next address up, nor the next round; it goes on beside them. */
  staggerMs: SECOND,
  /** Dials to one address at once, of which the oldest gives way: fewer than a host takes from one source (A2). */
  dialsPerAddress: 6,
  /** How long the next step of a handshake may take, because nothing else is dialled meanwhile … */
  stepTimeoutMs: 5 * SECOND,
  /** … for so many handshakes in a row that stop; after that each gets the full time, for links that need it. */
  hastyHandshakes: 4,
  /** Addresses that a host may have at once: one in use, a spare, and each being replaced. */
  maxAddresses: 4,
  /**
   * Reconnecting: first wait, growth, ceiling; each wait is scaled by a random factor of 0.5 to 1. The ceiling is most of the
   * time between the end of an outage and the dial that succeeds, however long it was. 64 members at it make a host answer about
   * 30 dials a second, and only once it can be reached.
   */
  backoffFirstMs: 500,
  backoffFactor: 2,
  backoffMaxMs: 3 * SECOND,
  /** Rounds in which every secret was denied, before a member believes that its session is gone: a denial proves nothing. */
  deniedRounds: 5,
  /** A member that cannot reach the host for this long gives the tunnel up for lost. */
  giveUpMs: 30 * MINUTE,
  /** The same when every address has said all the time that there is no tunnel: long enough for a proxy to restart. */
  goneMs: 2 * MINUTE,
  /** How long `tunnel_say` waits for the host's confirmation before it answers "queued". */
  sayConfirmMs: 2_500,
} as const;

/**
 * The traffic one member may send once it is in (PROTOCOL §6.1). Generous for agents, and at most about a fifth of a core at the
 * host. A faster one is read more slowly, never cut: its own socket fills up, and nobody else's. Whoever causes work pays for it,
 * whichever member does it.
 */
export const RATE = {
  /** Messages of its agent a second, each about 300 microseconds of the host's time … */
  messagesPerSecond: 500,
  /** … after so many at once: a whole outbox, which had to wait during a cut. Apart from the frames, so that no answer delays a word. */
  messagesBurst: LINK.maxOutboxFrames,
  /** A message goes out to every member: it counts once for so many of them, and at least once. */
  membersPerShare: 2,
  /** Other records, and WebSocket pings and pongs, a second … */
  framesPerSecond: 500,
  /** … after so many at once. */
  framesBurst: 2_000,
  /** Price of an acknowledgement, a PONG, or a grant of credit: every message of the host asks for one. */
  answerPrice: 1 / 8,
  /** Price of a chunk within credit: a full one every 125 microseconds. */
  chunkPrice: 1 / 16,
  /** Price of asking for a stream: the frame, all that is answered and ended on it, and the first read of a disk. */
  openPrice: 8,
  /** Price of a connection: the handshake, WELCOME, and telling the others that it is there again. */
  connectPrice: 250,
  /** Bytes a second: a message of 64 KiB costs the host and every member milliseconds … */
  bytesPerSecond: 2 * MIB,
  /** … after a whole outbox: the last words of a member that leaves must be read before it stops waiting for that. */
  bytesBurst: 8 * MIB,
  /** Below {@link LINK.answerMs}, since nothing of a member is heard meanwhile; who owes more than this is not let in again, either. */
  maxPauseMs: 5 * SECOND,
  /** While others talk, whoever has so many unacknowledged messages, or bytes of them, on the way to somebody is not read from … */
  runMessages: 12,
  runBytes: 128 * KIB,
  /** … for so long after each: a listener takes a third of a millisecond for one, and others' words wait behind them. */
  runMs: 20,
  /** Others talk for so long after their last word. Somebody who talks alone holds nobody up. */
  talksMs: 30 * SECOND,
  /** A member may have this share of the room that is left in another one's outbox; what goes beyond is read at that one's pace. */
  outboxShare: 1 / 2,
  /** How long it is not read for that, at least … */
  heldMs: 50,
  /** … and while nobody knows the other one's pace. */
  heldFirstMs: 250,
  /** Less in its outbox than this, and a member holds nobody back any more. */
  caughtUpFill: 1 / 4,
  /** A member that holds others back is named to the host's agent after this time, in which a line that is merely dead is found … */
  slowAlarmMs: LINK.answerMs + SECOND,
  /** … and must take in so much in so much time, or lose its session: 210 kbit/s, at which the others can talk. */
  catchUpBytes: 768 * KIB,
  catchUpMs: 30 * SECOND,
  /** One or two that are held back may be the ones at fault. Of more, each must get through at this pace (280 kbit/s). */
  atFault: 2,
  catchUpBytesEach: MIB,
} as const;

/** Streams between two members (PROTOCOL §6.2). */
export const STREAM = {
  /** Streams that one member may have open towards the host at once, and with one other member. */
  maxOpened: 4,
  /** Streams that one member serves at once; a further one is told to come again. One file for a room of many. */
  maxServed: 16,
  /** So many of these are for members who have none there. */
  reserved: 4,
  /** The same two for connections to services, and what is kept of the second: a page opens many at once, and each is small. */
  maxPortsOpened: 64,
  maxPortsServed: 256,
  portsReserved: 64,
  /** Size of a request, and of a response: each is one frame, and counts as one. */
  maxRequestBytes: 4 * KIB,
  /** Unused credit of one direction that the host passes on; the rest follows as it is used. As much as a receiver grants (S4). */
  maxCreditBytes: 2 * MIB,
  /** Credit of less than this goes on at most so often to an end that sends nothing. */
  creditLumpBytes: 64 * KIB,
  creditEveryMs: 250,
} as const;

/** Files on their way through the room (PROTOCOL §9). */
export const FILE = {
  /** Content in one bulk message: whole KiB that fit into the largest one. */
  chunkBytes: 127 * KIB,
  /** As much as a name may have on common file systems. */
  maxNameBytes: 255,
  maxNoteChars: INPUT_LIMITS.noteChars,
  maxBytes: INPUT_LIMITS.fileBytes,
  /** Files that one member receives at once, and serves at once: a stream each. */
  maxOpened: STREAM.maxOpened,
  maxServed: STREAM.maxServed,
  /**
   * Credit of a receiver: as much as it took in during the last half second. So a fast link is full, and on a
   * slow one a message does not wait behind a file for longer than that, or than the least of it takes.
   */
  windowMs: 500,
  windowMinBytes: 2 * 128 * KIB,
  windowMaxBytes: STREAM.maxCreditBytes,
  /** Credit of all streams of one receiver together: less than a socket may have buffered, with room for messages. */
  windowTotalBytes: 3 * MIB,
} as const;

/** A folder as one offer (B8, B9). */
export const TREE = {
  maxEntries: INPUT_LIMITS.treeEntries,
  maxListBytes: 4 * MIB,
  /** Of a path in it. */
  maxPathBytes: 1_024,
  maxDepth: 32,
  /** Parts of its content that are so near come on one stream, with what lies between. */
  maxGapBytes: 256 * KIB,
  /** Lines of an offer about what is in it, and bytes of their paths. */
  maxOutline: 200,
  maxOutlineBytes: 12 * KIB,
} as const;

/** Services that members offer each other (PROTOCOL §9.1). */
export const SERVICE = {
  maxNameChars: 64,
  /** A day. */
  maxLifeMs: 24 * 60 * MINUTE,
  /** Connections that an owner may let in at once. */
  maxConnections: STREAM.maxPortsServed,
  defaultConnections: STREAM.maxPortsOpened,
  /** The origin that a taker tells. */
  maxOriginBytes: 300,
  /** Credit that each connection has for sure, and that all share besides: with files, less than a socket may have buffered. */
  windowMinBytes: 16 * KIB,
  windowMaxBytes: 512 * KIB,
  windowSharedBytes: MIB,
  /** Connections that one process takes at once, whatever it asks of whom. */
  maxTaken: STREAM.maxPortsOpened,
} as const;

/** Signing off (PROTOCOL §9.2). */
export const SIGN_OFF = {
  /** An outcome is read by people as a whole before they sign. */
  maxOutcomeChars: 2_000,
  maxReasonChars: 500,
} as const;

export const SESSION = {
  maxTunnels: 8,
  listenDefaultMs: 50 * SECOND,
  listenMaxMs: 110 * SECOND,
  /** A call that finds something at once waits so long for its twin, where a client dispatches every call twice. */
  twinMs: 10,
  /** A call that opens a tunnel is answered within this time, whether it is open by then or not. */
  openAnswerMs: 45 * SECOND,
  /** A call that takes longer is answered within this time, and goes on, unless the human sets another. */
  answerMs: 50 * SECOND,
  /** Messages in one result; how long it may be, {@link RESULT} says. */
  listenDefaultCount: 50,
  listenMaxCount: 200,
  progressEveryMs: 10 * SECOND,
} as const;

/** Characters of a result's JSON, in UTF-16 units as clients count them. */
export const RESULT = {
  /** Every client that is known shows this much whole; they cut at about 25,000 tokens, or at 50,000 characters. */
  defaultChars: 40_000,
  /** For clients that take more of a tool that says so. */
  toldChars: 200_000,
  /** The range that a human may set. */
  minChars: 10_000,
  maxChars: 500_000,
} as const;
