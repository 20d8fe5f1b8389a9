import { TunnelError } from "../errors/tunnel-error.ts";
import type { Decider } from "../oversight/asks/ask.ts";
import { equalBytes, toHex, type Bytes } from "../protocol/base/bytes.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { Attestation } from "../protocol/room/audit-log.ts";
import type { OutgoingMessage } from "../protocol/room/participant.ts";
import type { SignOff } from "../protocol/sign-off/sign-offs.ts";
import type { Made, Verdict } from "../protocol/sign-off/signed-bytes.ts";
import { encodeStatement, isOutcome, isReason } from "../protocol/sign-off/statement.ts";
import { SIGN_OFF } from "../protocol/base/limits.ts";
import { PROPOSAL, type Form } from "./keeping/form.ts";
import type { CallId, Answer } from "./saying/sent.ts";
import { withoutLinks } from "./transcript/redact.ts";

/** A signature of a person at a face of theirs, with a key that was made there (PROTOCOL Z4). */
export interface SignedByHand {
  /** The digest of the proposal that they were shown. */
  readonly digest: Bytes;
  readonly verdict: Verdict;
  readonly reason: string | undefined;
  readonly key: Bytes;
  readonly signature: Bytes;
}

/** The parts of a session that signing off needs. */
interface SigningPort {
  readonly self: () => MemberId;
  readonly standing: () => SignOff | undefined;
  readonly attestation: () => Attestation | undefined;
  readonly say: (words: OutgoingMessage, form: Form, call: CallId | undefined) => Promise<Answer>;
  readonly acted: (mode: "sign" | "not-sign", by: Decider) => void;
  /** Called when it is demanded. */
  readonly onDemanded: () => void;
  /** An earlier process was told so. */
  readonly wasDemanded: boolean;
}

/** Where a key was made, by the face at which its person is; no client's prompt makes one. */
const MADE: Readonly<Record<Exclude<Decider["path"], "client">, Made>> = {
  watch: "terminal",
  terminal: "terminal",
  page: "page",
};

/** Signing off in one tunnel: an agent proposes, and persons alone sign (PROTOCOL §9.2). */
export class SigningOff {
  readonly #port: SigningPort;
  /** The digest of the proposal for which this side's person has signed, perhaps without a place yet. */
  #signed: string | undefined;
  #isDemanded: boolean;

  constructor(port: SigningPort) {
    this.#port = port;
    this.#isDemanded = port.wasDemanded;
  }

  /** Whether this tunnel is to end with the signatures of all persons. */
  get isDemanded(): boolean {
    return this.#isDemanded;
  }

  demand(): void {
    this.#isDemanded = true;
    this.#port.onDemanded();
  }

  /** The proposal that stands. */
  get standing(): SignOff | undefined {
    return this.#port.standing();
  }

  /** Whether this side's person can sign what stands, or refuse. */
  get isOpen(): boolean {
    return this.standing !== undefined && this.#over(this.standing) === undefined;
  }

  /** @param outcome checked text @throws {TunnelError} text-too-long, text-invalid, and all of saying */
  async propose(outcome: string, call: CallId | undefined): Promise<Answer> {
    if (!isOutcome(outcome))
      throw new TunnelError("text-too-long", {
        detail: `an outcome has at most ${SIGN_OFF.maxOutcomeChars} characters`,
      });
    assertProvable(outcome);
    return this.#port.say({ text: outcome }, PROPOSAL, call);
  }

  /** Certifies what a person has signed, and says it. @throws {TunnelError} sign-off-unknown, sign-off-over, sign-off-unsound, text-invalid, and all of saying */
  async state(given: SignedByHand, by: Decider): Promise<Answer> {
    const { digest, verdict, reason, key, signature } = given;
    const current = this.standing;
    const attestation = this.#port.attestation();
    if (by.path === "client" || current === undefined || attestation === undefined)
      throw new TunnelError("sign-off-unknown");
    if (!equalBytes(current.digest, digest)) throw new TunnelError("sign-off-unknown");
    const detail = this.#over(current);
    if (detail !== undefined) throw new TunnelError("sign-off-over", { detail });
    if (reason !== undefined && !isReason(reason))
      throw new TunnelError("text-invalid", {
        detail: `a reason has from 1 to ${SIGN_OFF.maxReasonChars} characters`,
      });
    if (reason !== undefined) assertProvable(reason);
    const made = MADE[by.path];
    const statement = {
      signs: digest,
      seq: current.proposed.view.seq,
      verdict,
      ...(reason === undefined ? {} : { reason }),
      made,
      key,
      certificate: attestation.certify(digest, { made, key }),
      signature,
    };
    if (!current.isSound(this.#port.self(), statement)) throw new TunnelError("sign-off-unsound");
    this.#signed = toHex(digest);
    // A reason that somebody edits is another one than was signed.
    const make = (text: string): string => {
      if (text !== (reason ?? "")) throw new TunnelError("sign-off-unsound");
      return encodeStatement(statement);
    };
    const form: Form = { kind: "statement", make };
    let hasLeft = false;
    try {
      const answer = await this.#port.say({ text: reason ?? "", author: "human" }, form, undefined);
      hasLeft = answer.status !== "held";
      if (hasLeft) this.#port.acted(verdict === "done" ? "sign" : "not-sign", by);
      return answer;
    } finally {
      // They may say it otherwise. Should both leave, the first counts.
      if (!hasLeft) this.#signed = undefined;
    }
  }

  /** Why this side's person cannot sign now; undefined where they can. */
  #over(current: SignOff): string | undefined {
    const self = this.#port.self();
    if (!current.proposed.members.some(({ id }) => id === self)) return "it was proposed before you came";
    if (this.#signed === toHex(current.digest) || current.of(self) !== undefined)
      return "you have said so already";
    if (current.state === "stale") return "something was said after it";
    return current.state === "refused" ? "somebody has refused it" : undefined;
  }
}

/** A transcript leaves links out, and what is left is not what was signed. @throws {TunnelError} text-invalid */
function assertProvable(text: string): void {
  if (withoutLinks(text) !== text)
    throw new TunnelError("text-invalid", { detail: "it has a tunnel link in it" });
}
