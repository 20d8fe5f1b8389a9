import { RESULT } from "../../protocol/base/limits.ts";
import type { Session } from "../../session/sessions.ts";
import { signOffView, type SignatoryView } from "../../view/signing/sign-off.ts";
import { boundsOf, listed, within } from "./bounds.ts";
import type { Fence } from "./fence.ts";
import type { Payload } from "./result.ts";

/** The outcome that stands and who has signed it; whether the tunnel is to end so; no field where neither is. */
export function signOffFields(tunnel: Pick<Session, "signing" | "self">, fence: Fence): Payload {
  const view = signOffView(tunnel);
  const isDemanded = tunnel.signing.isDemanded ? true : undefined;
  if (view === undefined)
    return isDemanded === undefined ? {} : { signOff: { isDemanded, state: "not-proposed" } };
  const { seq, state, words, outcome, fromName, members, messagesSince } = view;
  const names = (field: string, chosen: readonly SignatoryView[]): Payload => {
    const shown = within(
      chosen.map(({ name }) => name),
      boundsOf(RESULT.minChars).receivers,
    );
    return listed(field, shown, chosen.length);
  };
  const signed = members.filter(({ verdict }) => verdict === "done");
  const unsigned = members.filter(({ verdict }) => verdict !== "done");
  return {
    signOff: {
      isDemanded,
      seq,
      state,
      words,
      fromName,
      outcome: fence.enclose(fence.bared(outcome)),
      ...names("signedBy", signed),
      ...names("unsigned", unsigned),
      messagesSince: messagesSince === 0 ? undefined : messagesSince,
    },
  };
}
