import * as z from "zod/mini";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { bytesOf, counter, memberId, ordinal, signingKey } from "../base/header.ts";
import type { RoomId } from "../base/ids.ts";
import { SCHEMAS } from "../room/frames.ts";
import type { OrderStanding } from "../room/order.ts";
import type { SpokenStanding } from "../room/participant.ts";
import { decodeStatement, encodeStatement, isOutcome } from "../sign-off/statement.ts";

/** The state of a room at a place from which on its frames are kept, as a change has it. */

export const view = z.strictObject({ seq: counter, chain: bytesOf(32) });

const signOff = z.strictObject({
  from: memberId,
  view,
  ts: SCHEMAS.instant,
  outcome: z.string().check(z.refine(isOutcome)),
  members: z.array(z.strictObject({ id: memberId, name: z.string(), key: signingKey })),
  counted: z.array(z.strictObject({ from: memberId, seq: ordinal, statement: z.string() })),
  messagesSince: counter,
});

export const standing = z.strictObject({
  view,
  ts: SCHEMAS.instant,
  members: z.array(SCHEMAS.member),
  had: z.array(memberId),
  senders: z.array(z.strictObject({ id: memberId, n: counter, hash: bytesOf(32), since: counter })),
  offers: z.array(
    z.strictObject({ id: z.string(), kind: z.enum(["file", "service"]), from: z.optional(memberId) }),
  ),
  signOff: z.optional(signOff),
});
type Standing = z.infer<typeof standing>;

export function encodeStanding(
  order: OrderStanding,
  { offers, signOff: proposal }: SpokenStanding,
): Standing {
  const { view: at, ts, members, had, senders } = order;
  return {
    view: at,
    ts,
    members: [...members],
    had: [...had],
    senders: [...senders],
    offers: [...offers],
    ...(proposal && {
      signOff: {
        from: proposal.proposed.from,
        view: proposal.proposed.view,
        ts: proposal.proposed.ts,
        outcome: proposal.proposed.outcome,
        members: proposal.proposed.members.map(({ id, name, key }) => ({ id, name, key })),
        counted: proposal.counted.map(([from, { seq, statement }]) => {
          return { from, seq, statement: encodeStatement(statement) };
        }),
        messagesSince: proposal.messagesSince,
      },
    }),
  };
}

/** @throws {TunnelError} stay-unreadable */
export function decodeStanding(
  { offers, signOff: kept, ...order }: Standing,
  room: RoomId,
): { readonly order: OrderStanding; readonly spoken: SpokenStanding } {
  const known = offers.map(({ id, kind, from }) => ({ id, kind, from }));
  if (kept === undefined) return { order, spoken: { offers: known, signOff: undefined } };
  const { counted, messagesSince, ...proposed } = kept;
  const statements = counted.map(({ from, seq, statement: text }) => {
    const statement = decodeStatement(text);
    if (statement === undefined) throw new TunnelError("stay-unreadable");
    return [from, { seq, statement }] as const;
  });
  return {
    order,
    spoken: {
      offers: known,
      signOff: { proposed: { ...proposed, room }, counted: statements, messagesSince },
    },
  };
}
