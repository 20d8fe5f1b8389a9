/**
 * The room that the parts of a result may take, in characters of its JSON. All of them follow from the limit of the whole, and
 * none grows beyond what a reader has use for. Lists are never cut silently: a count tells what is left out.
 */
interface Bounds {
  /** Everything beside the messages of tunnel_listen and tunnel_say. */
  readonly besideMessages: number;
  /** The members, where the result is about something else. */
  readonly membersAside: number;
  /** The members, where the result is about them. */
  readonly members: number;
  /** Everything that tunnel_status lists besides members, of one tunnel, and of several together. */
  readonly lists: number;
  readonly several: number;
  /** Texts to pass on, one for each invited person. Further invites get a short form. */
  readonly inviteTexts: number;
  readonly pending: number;
  /** The names of those a message is for. */
  readonly receivers: number;
  /** Own messages that a notice tells of. */
  readonly undelivered: number;
  /** Files of a patch, and those to which it does not apply. */
  readonly patchFiles: number;
  readonly patchFailing: number;
}

/** @param limit characters of the whole result */
export function boundsOf(limit: number): Bounds {
  const part = (share: number, most: number): number => Math.floor(Math.min(limit * share, most));
  const besideMessages = 3_500;
  return {
    besideMessages,
    membersAside: part(0.1, 4_000),
    members: part(0.35, 14_000),
    lists: part(0.35, 14_000),
    several: part(0.3, 12_000),
    inviteTexts: part(0.4, 16_000),
    pending: part(0.075, 3_000),
    receivers: part(0.1, 4_000),
    undelivered: Math.min(24_000, Math.floor((limit - besideMessages) * 0.75)),
    patchFiles: part(0.2, 8_000),
    patchFailing: part(0.1, 4_000),
  };
}

/** The characters of a value as JSON, in UTF-16 units. */
export function shownChars(value: unknown): number {
  return (JSON.stringify(value) ?? "").length;
}

/** As many items from the front as fit. One that is too long is left out alone: a peer must not hide what comes after it. */
export function within<Item>(all: readonly Item[], maxChars: number): readonly Item[] {
  let left = maxChars;
  return all.filter((item) => {
    const chars = shownChars(item) + 1;
    if (chars > left) return false;
    left -= chars;
    return true;
  });
}

/** As many from the back as fit: of a list that grows, the newest items count. */
export function newestWithin<Item>(all: readonly Item[], maxChars: number): readonly Item[] {
  return within(all.toReversed(), maxChars).toReversed();
}

/** The field `name` with a list, and `…NotShown` with how many of `total` are not in it; no field for an empty one. */
export function listed(
  name: string,
  shown: readonly unknown[],
  total: number,
): Readonly<Record<string, unknown>> {
  return {
    ...(shown.length === 0 ? {} : { [name]: shown }),
    ...(total > shown.length ? { [`${name}NotShown`]: total - shown.length } : {}),
  };
}
