import type { MemberId } from "../../src/protocol/base/ids.ts";
import type { Reader } from "./reader.ts";
import { INVITE_MS, type Guest } from "../support/wire.ts";

/** Something that was said and not refused. */
export interface Message {
  readonly text: string;
  /** For these alone; for everybody when undefined. */
  readonly to: readonly MemberId[] | undefined;
  /** Where the room's order has it, once anybody has been told. */
  place: number | undefined;
}

/** One who takes part: the host (without a guest) or a guest, and what must be true of it. */
export class Participant {
  readonly index: number;
  readonly guest: Guest | undefined;
  readonly id: MemberId;
  /** When its invite is over, by the host's clock. */
  readonly inviteEndsAt: number;
  /** Somebody else has the same link. */
  readonly hasRival: boolean;
  readonly reader: Reader | undefined;
  /** Everything it said, in the order in which it said it. */
  readonly said: Message[] = [];
  /** By speaker: how many of its messages are heard, or were none of this one's. */
  readonly heard = new Map<Participant, number>();
  /** The first place that it was told of, and the last one so far. */
  first: number | undefined;
  last = 0;
  hasArrived = false;
  hasLeft = false;
  /** Secrets that it holds: more than one after handshakes of which it has not seen the end. */
  secrets = 1;
  /** Times it has dialled since the host last proved itself to it. */
  dials = 0;
  /** It said goodbye where the host could hear it, and nothing has come between since. */
  mustBeSeenLeaving = false;
  /** … and what it said before was little enough to go out ahead of that. */
  mustBeHeard = false;
  /** The room ended while this one could hear it, and nothing has come between since. */
  mustHearTheEnd = false;
  /** It was removed while it could hear it, and nothing has come between since. */
  mustHearRemoval = false;
  /** … and up to here it must have heard everything. */
  mustHearUpTo = 0;

  constructor(options: {
    index: number;
    guest: Guest | undefined;
    id: MemberId;
    now: number;
    hasRival: boolean;
    reader: Reader | undefined;
  }) {
    this.index = options.index;
    this.guest = options.guest;
    this.id = options.id;
    this.inviteEndsAt = options.now + INVITE_MS;
    this.hasRival = options.hasRival;
    this.reader = options.reader;
    this.hasArrived = options.guest === undefined;
  }

  get isAwake(): boolean {
    return this.guest?.held === undefined;
  }

  /** Whether this one is to have what `speaker` said. */
  isMeant(signer: Participant, { to }: Message): boolean {
    return signer === this || to?.includes(this.id) !== false;
  }

  /** Something has happened to its wire or its clock: nothing is certain of it any more. */
  excuse(): void {
    this.mustBeSeenLeaving = false;
    this.mustBeHeard = false;
    this.mustHearTheEnd = false;
    this.mustHearRemoval = false;
    this.mustHearUpTo = 0;
  }
}
