import { foldedName } from "../../protocol/base/names.ts";
import type { Presence } from "../../protocol/room/participant.ts";
import { shownGoal, shownLabel } from "../../view/labels.ts";
import type { Payload } from "./result.ts";

/** The fields of results that hold labels of peers, as strings or lists of strings, however deep they stand. */
const LABELS: ReadonlyMap<string, (label: string) => string> = new Map([
  ["name", shownLabel],
  ["fromName", shownLabel],
  ["memberName", shownLabel],
  ["to", shownLabel],
  ["otherMembers", shownLabel],
  ["unsigned", shownLabel],
  ["signedBy", shownLabel],
  ["offeredTo", shownLabel],
  ["members", shownLabel],
  ["repository", shownLabel],
  ["branch", shownLabel],
  ["client", shownLabel],
  ["goal", shownGoal],
]);

/** A whole result in which no label of a peer can be taken for words of this program. */
export function labelled(payload: Payload): Payload {
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]) => [key, shown(value, LABELS.get(key))]),
  );
}

function shown(value: unknown, show: ((label: string) => string) | undefined): unknown {
  if (typeof value === "string") return show === undefined ? value : show(value);
  if (Array.isArray(value)) return value.map((item: unknown) => shown(item, show));
  if (typeof value !== "object" || value === null) return value;
  return labelled({ ...value });
}

/** Members as an agent names them: by name, by id, or by the name as a result has shown it, which becomes the id. */
export function asNamed(members: readonly Presence[], wanted: readonly string[]): string[] {
  return wanted.map((one) => {
    const isNamed = members.some(({ id, name }) => one === id || one === name);
    const shownAs = members.filter(({ name }) => shownLabel(name) === one);
    const [only] = shownAs;
    if (isNamed || shownAs.length > 1) return one;
    return only?.id ?? unmarked(members, one);
  });
}

/** Without quotation marks, backticks or an `@`, which models put around a name, where only that is somebody's. */
function unmarked(members: readonly Presence[], one: string): string {
  const [, , quoted, at] = /^(?:(["'`])(.+)\1|@(.+))$/s.exec(one.trim()) ?? [];
  const bare = quoted ?? at;
  const isOf = (wanted: string): boolean =>
    members.some(({ id, name }) => id === wanted || foldedName(name) === foldedName(wanted));
  return bare !== undefined && !isOf(one.trim()) && isOf(bare.trim()) ? bare.trim() : one;
}
