import { toBase64url } from "../../protocol/base/bytes.ts";
import type { MemberId, RoomId } from "../../protocol/base/ids.ts";
import type { SignOff, SignOffState } from "../../protocol/sign-off/sign-offs.ts";
import type { Made, Verdict } from "../../protocol/sign-off/signed-bytes.ts";
import type { Session } from "../../session/sessions.ts";
import { isoTime } from "../time.ts";

/** The outcome that stands, and what the members' persons have said of it. */
export interface SignOffView {
  /** The place of the proposal. */
  readonly seq: number;
  /** ISO 8601, by the host's clock. */
  readonly ts: string;
  readonly room: RoomId;
  /** The chain at its place, 32 bytes as base64url. */
  readonly chain: string;
  /** The digest that is signed, 32 bytes as base64url. */
  readonly digest: string;
  /** Three of its digest, to read aloud. */
  readonly words: string;
  /** Words of whoever proposed it. */
  readonly outcome: string;
  readonly fromName: string;
  readonly state: SignOffState;
  /** This side, as its person's statement names it. */
  readonly self: MemberId;
  /** Whether this side's person can sign it now, or refuse. */
  readonly isOpenToSelf: boolean;
  /** Everybody who is asked. */
  readonly members: readonly SignatoryView[];
  /** The place at which all had signed. */
  readonly signedAt: number | undefined;
  /** Messages behind it that no signature covers. */
  readonly messagesSince: number;
}

export interface SignatoryView {
  readonly id: MemberId;
  readonly name: string;
  readonly isSelf: boolean;
  /** Undefined where their person has said nothing yet. */
  readonly verdict: Verdict | undefined;
  readonly reason: string | undefined;
  readonly made: Made | undefined;
  /** The place of their statement. */
  readonly seq: number | undefined;
}

/** Undefined where nothing has been proposed. */
export function signOffView({ signing, self }: Pick<Session, "signing" | "self">): SignOffView | undefined {
  const { standing } = signing;
  if (standing === undefined) return undefined;
  const { room, view, ts, outcome, from, members } = standing.proposed;
  return {
    seq: view.seq,
    ts: isoTime(ts),
    room,
    chain: toBase64url(view.chain),
    digest: toBase64url(standing.digest),
    words: standing.words,
    outcome,
    fromName: members.find(({ id }) => id === from)?.name ?? from,
    state: standing.state,
    self,
    isOpenToSelf: signing.isOpen,
    members: members.map(({ id, name }) => signatoryView(standing, { id, name, isSelf: id === self })),
    signedAt: standing.signedAt,
    messagesSince: standing.messagesSince,
  };
}

function signatoryView(
  standing: SignOff,
  member: Pick<SignatoryView, "id" | "name" | "isSelf">,
): SignatoryView {
  const counted = standing.of(member.id);
  const { verdict, reason, made } = counted?.statement ?? {};
  return { ...member, verdict, reason, made, seq: counted?.seq };
}
