import { RESULT } from "../../protocol/base/limits.ts";
import type { ClientProgram } from "../../protocol/room/work-context.ts";

/** Told in the `tools/list` entry of a tool: up to so many characters of its result are for the model as they are. */
const LONG_RESULT = "anthropic/maxResultSizeChars";

/** Clients that show a long result whole where its tool says so, by the name they give, and the first version that does. */
const TAKES_MORE: readonly { readonly name: string; readonly since: string }[] = [
  // Since 2.1.91 by its release notes; 2.1.332 was seen to show 65,000 and 128,000 characters whole. Others cut at 50,000.
  { name: "claude-code", since: "2.1.91" },
];

/** What is known of this process's client and its human besides what the client says of itself. */
export interface ResultSettings {
  /** The human's own limit, in characters. */
  readonly set?: number | undefined;
  /** The client drops what tools say of themselves: Claude Code inside of Claude Desktop. */
  readonly dropsMeta?: boolean;
}

/** What `tools/list` says of a tool whose results may be long. */
export function longResultMeta({ set = 0 }: ResultSettings): Readonly<Record<string, number>> {
  return { [LONG_RESULT]: Math.max(RESULT.toldChars, set) };
}

/** The characters that the JSON of a result may have. @param isLong the tool says {@link longResultMeta} */
export function resultLimitFor(
  client: ClientProgram | undefined,
  { set, dropsMeta }: ResultSettings,
  isLong: boolean,
): number {
  if (set !== undefined) return set;
  const takesMore = TAKES_MORE.some(
    ({ name, since }) => client?.name === name && isAtLeast(client.version, since),
  );
  return isLong && takesMore && dropsMeta !== true ? RESULT.toldChars : RESULT.defaultChars;
}

/** Compares dotted numbers; anything behind them, as of a pre-release, does not count. */
function isAtLeast(version: string, least: string): boolean {
  const [own, other] = [numbersOf(version), numbersOf(least)];
  if (own.length === 0) return false;
  const at = other.findIndex((number, index) => (own[index] ?? 0) !== number);
  return at < 0 || (own[at] ?? 0) > (other[at] ?? 0);
}

function numbersOf(version: string): number[] {
  return (/^\d+(?:\.\d+)*/.exec(version)?.[0] ?? "").split(".").filter(Boolean).map(Number);
}
