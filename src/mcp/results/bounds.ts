import type { Payload } from "./result.ts";
import { utf8Length } from "../../protocol/base/utf8.ts";

/**
 * The room that a result may take in a model's context, in bytes of its JSON. Clients cut results at about 25,000 tokens,
 * and a full room of the longest names would fill that. Lists are never cut silently: a count tells what is left out.
 */
export const BOUNDS = {
  /** Any result but one that holds a single long message. */
  resultBytes: 40 * 1024,
  /** The members, where the result is about them … */
  membersBytes: 14 * 1024,
  /** … and where it is about something else. */
  membersAsideBytes: 4 * 1024,
  /** Everything that tunnel_status lists besides members, of one tunnel, and of several together. */
  statusBytes: 14 * 1024,
  severalBytes: 12 * 1024,
  /** Texts to pass on, one for each invited person. Further invites get a short form. */
  inviteTextsBytes: 16 * 1024,
  pendingBytes: 3 * 1024,
  /** A transcript as a resource: Markdown to read, and JSON with proofs for a human to keep. */
  markdownBytes: 64 * 1024,
  proofsBytes: 256 * 1024,
} as const;

/** The bytes of a value as JSON. */
export function shownBytes(value: unknown): number {
  return utf8Length(JSON.stringify(value) ?? "");
}

/** As many items from the front as fit. One that is too long is left out alone: a peer must not hide what comes after it. */
export function within<Item>(all: readonly Item[], maxBytes: number): readonly Item[] {
  let left = maxBytes;
  return all.filter((item) => {
    const bytes = shownBytes(item) + 1;
    if (bytes > left) return false;
    left -= bytes;
    return true;
  });
}

/** As many from the back as fit: of a list that grows, the newest items count. */
export function newestWithin<Item>(all: readonly Item[], maxBytes: number): readonly Item[] {
  return within(all.toReversed(), maxBytes).toReversed();
}

/** The field `name` with a list, and `…NotShown` with how many of `total` are not in it; no field for an empty one. */
export function listed(name: string, shown: readonly unknown[], total: number): Payload {
  return {
    ...(shown.length === 0 ? {} : { [name]: shown }),
    ...(total > shown.length ? { [`${name}NotShown`]: total - shown.length } : {}),
  };
}
