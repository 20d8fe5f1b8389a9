import type { ConnectionId } from "../base/ids.ts";
import { RATE, ROOM } from "../base/limits.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { isConnected, type MemberSession, type MemberSessions } from "./member-sessions.ts";
import type { RoomEffect } from "./room-io.ts";

/** A message of a member by the price it has (E1, S3): a chunk within credit, an answer to the host's own words, or any other. */
export type Traffic = "chunk" | "answer" | "message";

/**
 * Keeps what members send within what the host and the slowest of them can take (PROTOCOL §6.1): by not reading from a member that sends too
 * much, and by giving up a member that takes in too little.
 */
export class BackPressure {
  readonly #sessions: MemberSessions;
  readonly #emit: (effect: RoomEffect) => void;

  constructor(sessions: MemberSessions, emit: (effect: RoomEffect) => void) {
    this.#sessions = sessions;
    this.#emit = emit;
  }

  /** A message came; the bytes that a receiver has let come cost nothing, since its credit is their limit. */
  charge(connection: ConnectionId, traffic: Traffic, bytes: number, now: number): void {
    if (traffic === "chunk") return this.#spend(connection, RATE.chunkPrice, 0, now);
    this.#spend(connection, traffic === "answer" ? RATE.answerPrice : 1, bytes, now);
  }

  /** A message goes out to all: its sender pays for the copies, and waits for those who cannot keep up (E1, E3). */
  chargeCopies({ link }: MemberSession, bytes: number, now: number): void {
    const { connection } = link;
    if (connection === undefined) return;
    const shares = Math.floor(this.#sessions.size / RATE.membersPerShare);
    this.#spend(connection, shares, shares * bytes, now);
    const connected = this.#sessions.all.filter(isConnected);
    this.watch(connected, now);
    const fullest = Math.max(0, ...connected.map((session) => session.link.load.fill));
    const ms = RATE.congestionMs.findLast(([fill]) => fullest >= fill)?.[1];
    if (ms !== undefined) this.#emit({ type: "pause", connection, ms });
  }

  /**
   * Whether the host's own message finds room: with everybody who is connected, and with one of the others at least. A member that is away
   * may lose its session by it, but not all of them, and nobody who is only slow.
   * @throws {TunnelError} outbox-full
   */
  assertRoom(audience: readonly MemberSession[], bytes: number, now: number): void {
    const hasRoom = ({ link }: MemberSession): boolean => link.hasRoomFor(bytes + ROOM.maxTextBytes);
    const connected = audience.filter(isConnected);
    if (audience.some(hasRoom) && connected.every(hasRoom)) return;
    this.watch(connected, now);
    throw new TunnelError("outbox-full");
  }

  /** A member that slows the others down must at least take in what waits for it: else it has fallen behind (E3). */
  watch(connected: readonly MemberSession[], now: number): void {
    for (const session of connected) {
      const { fill, drained } = session.link.load;
      const { congestion } = session;
      if (fill < RATE.congestedFill) session.congestion = undefined;
      else if (congestion === undefined) session.congestion = { at: now, drained };
      else if (now - congestion.at >= RATE.catchUpMs) {
        session.fellBehind ||= drained - congestion.drained < RATE.catchUpBytes;
        session.congestion = { at: now, drained };
      }
    }
  }

  /** When a connected member has to be looked at again. */
  nextDeadline({ congestion }: MemberSession): number {
    return congestion === undefined ? Number.POSITIVE_INFINITY : congestion.at + RATE.catchUpMs;
  }

  /** A member that is in debt is not read from until it has earned it back. */
  #spend(connection: ConnectionId, frames: number, bytes: number, now: number): void {
    const ms = this.#sessions.at(connection)?.rateLimiter.spend(frames, bytes, now) ?? 0;
    if (ms > 0) this.#emit({ type: "pause", connection, ms });
  }
}
