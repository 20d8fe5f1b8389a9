import { TunnelError } from "../../../errors/tunnel-error.ts";
import { nodePrimitives } from "../../../runtime/primitives.ts";
import type { Session } from "../../../session/sessions.ts";
import { signOffView } from "../../../view/signing/sign-off.ts";
import { signByHand } from "../../../watch/sign-by-hand.ts";
import type { Verdict } from "../../../protocol/sign-off/signed-bytes.ts";

type Signs = "person" | "no-terminal" | "agent";

/** How a person at a chat signs the outcome that stands, or refuses. */
export function signHint(words: string | undefined): string {
  return words === undefined ? "" : `[to sign it: /sign ${words}, to refuse: /not-done REASON]`;
}

/**
 * Signs the outcome that stands, named by its three words: another one may have come while this was typed.
 * @throws {TunnelError} watch-no-terminal, watch-in-agent, sign-off-*, input-invalid, text-invalid, and all of saying
 */
export async function signInChat(tunnel: Session, typed: string, signs: Signs): Promise<void> {
  assertPerson(signs);
  const words = typed.trim().toLowerCase().split(/\s+/).join(" ");
  if (words !== tunnel.signing.standing?.words)
    throw new TunnelError("input-invalid", {
      detail: "/sign takes the three words of the outcome that stands, as they were shown with it",
    });
  await state(tunnel, { verdict: "done", reason: undefined });
}

/** @throws {TunnelError} watch-no-terminal, watch-in-agent, sign-off-*, text-invalid, and all of saying */
export async function refuseInChat(tunnel: Session, reason: string, signs: Signs): Promise<void> {
  assertPerson(signs);
  await state(tunnel, { verdict: "not-done", reason: reason === "" ? undefined : reason });
}

/** A chat may be a program's as well, whose lines are no signature of anybody (Z8). */
function assertPerson(signs: Signs): void {
  if (signs === "no-terminal") throw new TunnelError("watch-no-terminal");
  if (signs === "agent") throw new TunnelError("watch-in-agent");
}

async function state(
  tunnel: Session,
  said: { readonly verdict: Verdict; readonly reason: string | undefined },
): Promise<void> {
  const view = signOffView(tunnel);
  if (view === undefined) throw new TunnelError("sign-off-unknown");
  const signed = signByHand(nodePrimitives, view, said);
  await tunnel.signing.state({ ...signed, ...said }, { path: "terminal" });
}
