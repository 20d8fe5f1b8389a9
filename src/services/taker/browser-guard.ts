import { Transform } from "node:stream";
import { own, ownAnswerBytes } from "../../expose/gateway/rules/own-answers.ts";

/** Bytes in which a request of a browser shows itself: longer heads are cut by browsers and servers alike. */
const MOST_BYTES = 16 * 1024;
const METHODS = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "DELETE"];
/** Fields that browsers send by themselves, and programs do not. */
const OF_A_BROWSER = /\r\n(?:cookie|origin|sec-fetch-[a-z]+|sec-ch-ua|upgrade-insecure-requests) *:/i;
const OF_HTTP = /^[A-Z]{3,7} [^\r\n ]+ HTTP\/1\.[01]\r\n/;

const REFUSED = ownAnswerBytes(
  own(
    421,
    "not-for-browsers",
    "A peer offers this as TCP. A browser would send it the cookies of other programs on this machine: have it offered as http.",
  ),
);

/**
 * Keeps browsers away from a peer's service on 127.0.0.1. Cookies do not know ports, so a peer that offers a web page as TCP would get those of
 * all local apps; and any page in the browser could speak to it. What programs send passes as it comes, HTTP included.
 */
export class BrowserGuard extends Transform {
  readonly #onBrowser: (answer: Buffer) => void;
  #first: Buffer | undefined = Buffer.alloc(0);

  /** @param onBrowser called once, with what a browser is to be told; nothing has passed, and nothing does */
  constructor(onBrowser: (answer: Buffer) => void) {
    super();
    this.#onBrowser = onBrowser;
  }

  override _transform(
    chunk: Buffer,
    _encoding: string,
    done: (error?: Error | null, data?: Buffer) => void,
  ): void {
    if (this.#first === undefined) return done(null, chunk);
    const first = Buffer.concat([this.#first, chunk]);
    const text = first.toString("latin1", 0, MOST_BYTES);
    if (OF_A_BROWSER.test(text) && OF_HTTP.test(text)) {
      this.#first = Buffer.alloc(0);
      this.#onBrowser(REFUSED);
      return done();
    }
    if (mayBeHttp(text) && !text.includes("\r\n\r\n") && first.length < MOST_BYTES) {
      this.#first = first;
      return done();
    }
    this.#first = undefined;
    done(null, first);
  }

  override _flush(done: (error?: Error | null, data?: Buffer) => void): void {
    const left = this.#first;
    this.#first = undefined;
    done(null, left?.length === 0 ? undefined : left);
  }
}

/** Whether it begins as a request, or could still become one. */
function mayBeHttp(text: string): boolean {
  const line = text.split("\r\n", 1)[0] ?? "";
  if (text.includes("\r\n")) return OF_HTTP.test(text);
  return METHODS.some((method) => `${method} `.startsWith(line) || line.startsWith(`${method} `));
}
