/** Something that the protocol says must be refused. `code` is the word that docs/PROTOCOL.md has for it. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, why: string) {
    super(`${code}: ${why}`);
    this.code = code;
  }
}

/** @throws {Refused} `code`, unless `isRight`. */
export function demand(isRight: boolean, code: string, why: string): asserts isRight {
  if (!isRight) throw new Refused(code, why);
}
