import { TunnelError } from "../../errors/tunnel-error.ts";
import type { MemberId } from "../base/ids.ts";
import type { Presence } from "./participant.ts";
import { trim } from "../base/characters.ts";
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
    const member = memberNamed(others, one);
    if (member === undefined) unknown.push(one);
    else found.add(member.id);
  }
  if (unknown.length > 0)
    throw new TunnelError("member-unknown", { detail: unknown.join(", ").slice(0, 200) });
  return [...found];
}

/** An id first, since a name may look like one; then the very name, then the only one that this platform takes for it. */
function memberNamed(others: readonly Presence[], wanted: string): Presence | undefined {
  const exact = others.find(({ id }) => id === wanted) ?? others.find(({ name }) => name === trim(wanted));
  if (exact !== undefined) return exact;
  const folded = foldedName(trim(wanted));
  const [alike, ...more] = others.filter(({ name }) => foldedName(name) === folded);
  return more.length === 0 ? alike : undefined;
}
