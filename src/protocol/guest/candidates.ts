import { must } from "../../errors/must.ts";
import { wipe, type Bytes } from "../base/bytes.ts";
import { inviteCredential, resumeCredential, type Credential } from "../handshake/keys.ts";
import { LINK } from "../base/limits.ts";
import type { Primitives } from "../base/primitives.ts";

/** The handshake with which a stay began: the safety code of both ends (N1), and the hash in the member's record (H13). */
export interface Pairing {
  readonly safetyCode: string;
  readonly hash: Bytes;
}

/** A credential that the host may hold: which one is known only when it has been tried (PROTOCOL §4.4). */
export interface Candidate {
  readonly kind: "invite" | "resume";
  readonly credential: Credential;
  /** For a resume: the handshake that it resumes in the end. */
  readonly pairing?: Pairing;
}

const MAX_CANDIDATES = 8;

/** Everything that may open the admission to a guest, likeliest first (K7). */
export class Candidates {
  readonly #primitives: Primitives;
  #all: Candidate[];

  /** @param from the key of an invite, or what an earlier process had */
  constructor(primitives: Primitives, from: Uint8Array | readonly Candidate[]) {
    this.#primitives = primitives;
    this.#all =
      from instanceof Uint8Array
        ? [{ kind: "invite", credential: inviteCredential(primitives, from) }]
        : [...from];
  }

  /** The likeliest first. */
  get all(): readonly Candidate[] {
    return this.#all;
  }

  /** The likeliest one that is not among these; `undefined` when all are, and after {@link wipe}. */
  next(denied: ReadonlySet<Candidate>): Candidate | undefined {
    return this.#all.find((candidate) => !denied.has(candidate));
  }

  /**
   * A handshake with `used` went so far that the host may have moved on to `secret` without our hearing of it. The one
   * just used was the right one a moment ago, so it is tried before older ones: a round that is mostly denials would use
   * up this source's attempts (A3) before it comes to the right one. `pairing` is that of this handshake.
   */
  offer(secret: Uint8Array, used: Candidate, pairing: Pairing): void {
    const next: Candidate = {
      kind: "resume",
      credential: resumeCredential(this.#primitives, secret),
      pairing: used.pairing ?? pairing,
    };
    const older = this.#all.filter((candidate) => candidate !== used);
    this.#all = [next, used, ...older].slice(0, MAX_CANDIDATES);
  }

  /** The host has confirmed the newest: it alone opens the admission from now on. */
  settle(): void {
    for (const { credential } of this.#all.splice(1)) wipe(credential.psk, credential.mac);
  }

  wipe(): void {
    for (const { credential } of this.#all) wipe(credential.psk, credential.mac);
    this.#all = [];
  }
}

/** Exponential, with a random share of it, so that the members of a room do not come back in step. */
export function backoffMs(primitives: Primitives, failures: number): number {
  const ceiling = Math.min(LINK.backoffFirstMs * LINK.backoffFactor ** failures, LINK.backoffMaxMs);
  const share = must(primitives.random(1)[0], "a random byte") / 255;
  return Math.round(ceiling * (0.5 + share / 2));
}
