import { TunnelError } from "../../errors/tunnel-error.ts";
import type { MemberId } from "../base/ids.ts";
import type { Presence } from "./participant.ts";
import { foldedName } from "../base/names.ts";

/**
 * The members that names, or ids, mean at this moment; each once. Names are compared as a room compares them (G1).
 * @throws {TunnelError} member-unknown, naming what is nobody's, or this side's own
 */
export function membersNamed(members: readonly Presence[], wanted: readonly string[]): MemberId[] {
  const others = members.filter(({ isSelf }) => !isSelf);
  const found = new Set<MemberId>();
  const unknown: string[] = [];
  for (const one of wanted) {
    // An id first: a name may look like one.
    const member =
      others.find(({ id }) => id === one) ??
      others.find(({ name }) => foldedName(name) === foldedName(one.trim()));
    if (member === undefined) unknown.push(one);
    else found.add(member.id);
  }
  if (unknown.length > 0)
    throw new TunnelError("member-unknown", { detail: unknown.join(", ").slice(0, 200) });
  return [...found];
}
