import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Clock } from "../../runtime/clock.ts";
import { every } from "../../runtime/wait.ts";

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** Between two looks at the files: certificates are renewed weeks before they end. */
const LOOK_MS = 30_000;

/** Certificate and key of the relay's own, read again when they change. What cannot be used changes nothing. */
export class Certificates {
  readonly #files: CertificateFiles;
  readonly #onTrouble: (what: string) => void;
  readonly #stop: () => void;
  #context: SecureContext;
  #seen: string;

  /** @throws {Error} the files cannot be read, or do not belong together */
  constructor(files: CertificateFiles, clock: Clock, onTrouble: (what: string) => void) {
    this.#files = files;
    this.#onTrouble = onTrouble;
    this.#seen = stateOf(files);
    this.#context = contextOf(files);
    this.#stop = every(clock, LOOK_MS, () => this.look());
  }

  get context(): SecureContext {
    return this.#context;
  }

  /** Looks now. */
  look(): void {
    try {
      const seen = stateOf(this.#files);
      if (seen === this.#seen) return;
      // The two files are written one after the other: a pair that does not fit is looked at again.
      this.#context = contextOf(this.#files);
      this.#seen = seen;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#onTrouble("the certificate cannot be read again; the old one stays");
    }
  }

  close(): void {
    this.#stop();
  }
}

export function contextOf({ cert, key }: CertificateFiles): SecureContext {
  return createSecureContext({ cert: readFileSync(cert), key: readFileSync(key), minVersion: "TLSv1.2" });
}

function stateOf({ cert, key }: CertificateFiles): string {
  return [cert, key]
    .map((file) => {
      const { mtimeMs, size, ino } = statSync(file);
      return `${mtimeMs} ${size} ${ino}`;
    })
    .join(", ");
}
