/** The numbers of a version such as `2.1.199` or `1.0.0-beta.2`; undefined for a text that is none. */
function parse(text: string): { numbers: readonly number[]; isPrerelease: boolean } | undefined {
  const found = /^v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:(-)[\w.-]+)?(?:\+[\w.-]+)?$/.exec(text.trim());
  if (found === null) return undefined;
  return { numbers: (found[1] ?? "").split(".").map(Number), isPrerelease: found[2] !== undefined };
}

/**
 * Whether a version is `since` or newer. A prerelease counts as older than its release (semver.org, 11).
 * @returns undefined where the text is no version, so that nothing is known
 */
export function isAtLeast(version: string, since: string): boolean | undefined {
  const [given, least] = [parse(version), parse(since)];
  if (given === undefined || least === undefined) return undefined;
  const length = Math.max(given.numbers.length, least.numbers.length);
  for (let index = 0; index < length; index += 1) {
    const difference = (given.numbers[index] ?? 0) - (least.numbers[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return least.isPrerelease || !given.isPrerelease;
}
