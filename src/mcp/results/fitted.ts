import { shownChars } from "./bounds.ts";
import type { Fence } from "./fence.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Messages are packed so that they fit: nothing of them is ever left out here. */
const KEPT = "messages";
/** A text that is shorter is not worth cutting. */
const SHORT = 100;

/**
 * A whole result, with less in it where it is longer than the limit: the last items of the longest lists first, counted in
 * `…NotShown`, then the ends of the longest texts. A peer's words keep both marks around them. The tools keep their own bounds;
 * this is for what nobody has thought of.
 * @param limit characters of its JSON
 */
export function fitted(payload: Fields, limit: number, fence: Fence): Fields {
  if (shownChars(payload) <= limit) return payload;
  const shown = structuredClone(payload) as Record<string, unknown>;
  for (let over = shownChars(shown) - limit; over > 0; over = shownChars(shown) - limit) {
    const places = placesIn(shown);
    const list = longest(places.filter(isList));
    const text = longest(places.filter(isText));
    if (list !== undefined) shorten(list, over);
    else if (text !== undefined)
      text.holder[text.key] = fence.shortened(text.value, shorter(text.value, over));
    else break;
  }
  return shown;
}

/** A value with the object that holds it. */
interface Place<Value = unknown> {
  readonly holder: Record<string, unknown>;
  readonly key: string;
  readonly value: Value;
}

const isList = (place: Place): place is Place<unknown[]> =>
  Array.isArray(place.value) && place.value.length > 0 && place.key !== KEPT;

const isText = (place: Place): place is Place<string> =>
  typeof place.value === "string" && place.value.length > SHORT;

/** Every value inside, however deep. Items of lists have no name of their own: only what they hold has. */
function placesIn(value: unknown): Place[] {
  if (Array.isArray(value)) return value.flatMap(placesIn);
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([key, one]) => [
    { holder: value, key, value: one },
    ...placesIn(one),
  ]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function longest<One extends Place>(places: readonly One[]): One | undefined {
  const [first, ...others] = places.map((place) => ({ place, chars: shownChars(place.value) }));
  if (first === undefined) return undefined;
  return others.reduce((most, one) => (one.chars > most.chars ? one : most), first).place;
}

function shorten({ holder, key, value }: Place<unknown[]>, over: number): void {
  const count = `${key}NotShown`;
  let left = over + count.length;
  let taken = 0;
  while (left > 0 && value.length > 0) {
    left -= shownChars(value.pop()) + 1;
    taken += 1;
  }
  const before = holder[count];
  holder[count] = taken + (typeof before === "number" ? before : 0);
}

/** Escapes may make more of a text than it has: then it takes another round. */
function shorter(text: string, over: number): number {
  // One more, for the ellipsis.
  return Math.max(SHORT / 2, text.length - over - 1);
}
