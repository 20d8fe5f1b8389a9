const KIB = 1024;

/**
 * The limits of input that an error text names. They stand at the bottom of the house, so that a text and the check that
 * enforces its limit read one number (docs/DECISIONS.md).
 */
export const INPUT_LIMITS = {
  /** Bytes of UTF-8 in one message. */
  textBytes: 64 * KIB,
  /** Code points. */
  nameChars: 64,
  /** Code points. */
  goalChars: 500,
  /** Code points, beside a file. */
  noteChars: 500,
  /** Size of a shared file: beyond it a size is a mistake. */
  fileBytes: KIB ** 4,
  /** Files of one offer. */
  treeEntries: 10_000,
  /** Size of a patch, which is read into memory to be inspected. */
  patchBytes: 32 * KIB ** 2,
} as const;

/** With it came `git config --show-scope`, without which the filters of a repository cannot be told from those of the user. */
export const OLDEST_GIT = { major: 2, minor: 26 } as const;

const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;

/** A limit in its largest whole unit, such as "32 MiB": exact, unlike the size of some file. */
export function limitText(bytes: number): string {
  let value = bytes;
  let text = `${value} bytes`;
  for (const unit of UNITS) {
    if (value % KIB !== 0) break;
    value /= KIB;
    text = `${value} ${unit}`;
  }
  return text;
}
