import type { Clock } from "../../runtime/clock.ts";
import { nextForPerson } from "../../errors/tunnel-error.ts";
import type { StartedView } from "../../view/expose/exposures.ts";
import { safeLabel, safeText } from "../chat/terminal/safe-text.ts";
import type { Paint } from "../io/output.ts";
import { wrapWords } from "../io/wrap.ts";
import { durationText } from "../../view/time.ts";
import type { Ended, News, ShownEvent } from "./events.ts";
import { openedText } from "./opened-text.ts";
import { qrLines } from "./qr.ts";
import { RequestFlood } from "./request-flood.ts";
import { clockText, requestLine, requestName } from "./request-line.ts";

export interface PersonViewOptions {
  readonly clock: Clock;
  readonly paint: Paint;
  readonly platform: string;
  /** Names of exposures stand in each line. */
  readonly hasSeveral: boolean;
  /** Commands can be typed. */
  readonly isInteractive: boolean;
  /** Size of a terminal that shows codes; undefined where there is none. */
  readonly size: () => { readonly columns: number; readonly rows: number } | undefined;
  /** Width where lines are wrapped, or undefined. */
  readonly columns: () => number | undefined;
  readonly print: (text: string) => void;
  /** One line that holds for this moment only. */
  readonly status: (text: string | undefined) => void;
  readonly fail: (text: string) => void;
}

/** Shows a person what becomes of their exposures. */
export class PersonView {
  readonly #options: PersonViewOptions;
  readonly #flood: RequestFlood;

  constructor(options: PersonViewOptions) {
    this.#options = options;
    this.#flood = new RequestFlood(options.clock, (name, text) =>
      this.#news(name, text, options.paint.yellow),
    );
  }

  show(shown: ShownEvent): void {
    const { hasSeveral, paint, columns, print, status } = this.#options;
    if (shown.type !== "progress") status(undefined);
    switch (shown.type) {
      case "progress": {
        const prefix = hasSeveral ? `${shown.name}: ` : "";
        const done = shown.fraction === undefined ? "" : ` (${Math.round(shown.fraction * 100)} %)`;
        return status(`${prefix}${safeLabel(shown.message)}${done} …`);
      }
      case "opened":
        return this.#opened(shown.view);
      case "held":
        return this.tell(
          `${shown.name} waits for a person, who types tunnel-mcp watch in a terminal of their own, and there: approve ${shown.askId}`,
        );
      case "request": {
        if (!this.#flood.passes(shown.name, shown.request)) return;
        const id = requestName(shown.request.id, shown.name, hasSeveral);
        return print(requestLine(shown.request, id, { paint, columns: columns() }));
      }
      case "news":
        return this.#news(shown.name, shown.text, isBad(shown.news) ? paint.red : paint.green);
      case "failed": {
        const { message, code } = shown.error;
        const which = hasSeveral ? `${shown.name}: ` : "";
        return this.#options.fail(`tunnel-mcp: ${which}${safeText(message)}\n  ${nextForPerson(code)}`);
      }
      case "ended":
        return this.#ended(shown.name, shown.ended);
    }
  }

  /** Words of this program. */
  tell(text: string): void {
    this.#options.print(wrapWords(text, this.#options.columns()));
  }

  /** Its address, its ways in and its state. */
  info(view: StartedView): void {
    const { clock, paint, platform, columns, print } = this.#options;
    print(openedText(view, { paint, columns: columns(), platform, now: clock.now() }));
  }

  /** A code for phones; a hint where it does not fit, and nothing where none can be shown. */
  qr(link: string, caption: string): void {
    const { size, columns, print, isInteractive } = this.#options;
    const now = size();
    if (now === undefined) return;
    const lines = qrLines(link, now);
    if (lines !== undefined) return print([wrapWords(caption, columns()), ...lines].join("\n"));
    const hint = isInteractive ? " Make it larger, then type qr." : "";
    this.tell(`The window is too small for the QR code.${hint}`);
  }

  stop(): void {
    this.#flood.stop();
  }

  #opened(view: StartedView): void {
    const { isInteractive, paint } = this.#options;
    this.info(view);
    const isTcp = view.publicUrl.startsWith("tcp:");
    // No phone knows what to do with an MCP server or a TCP address.
    if (view.clients === undefined && !isTcp) {
      const { link, caption } = scanned(view);
      this.#options.print("");
      this.qr(link, caption);
    }
    const how = isInteractive ? "Type help for what you can do; Ctrl-C ends it." : "Ctrl-C ends it.";
    const shown = isTcp ? "" : "Requests are shown here when they are over. ";
    this.tell(paint.dim(`${shown}${how}`));
  }

  #news(name: string, text: string, color: (text: string) => string): void {
    const { clock, columns, hasSeveral, print } = this.#options;
    const which = hasSeveral ? `${name}: ` : "";
    print(color(wrapWords(`${clockText(clock.now())}  * ${which}${safeLabel(text)}`, columns())));
  }

  #ended(name: string, { why, publicUrl, requests, lastedSec }: Ended): void {
    this.#flood.stop();
    const many = `${requests} ${requests === 1 ? "request" : "requests"}`;
    const where = publicUrl === undefined ? "" : ` Nobody reaches ${publicUrl} any more.`;
    const been =
      publicUrl === undefined ? ", before it was open" : ` after ${durationText(lastedSec)} and ${many}`;
    this.tell(`${name} has ended${been}: ${END_TEXTS[why]}.${where}`);
  }
}

/** The link that a phone gets: one for a person where there is one that nobody has used. */
export function scanned({ access, publicUrl }: StartedView): {
  readonly link: string;
  readonly caption: string;
} {
  const [first] = access.claim?.links ?? [];
  if (first === undefined) return { link: publicUrl, caption: "The address, for a phone:" };
  return { link: first.url, caption: "The link that lets one browser in, for a phone:" };
}

function isBad(news: News): boolean {
  switch (news.what) {
    case "claimed":
      return false;
    case "service":
      return !news.isThere;
    case "address":
      return news.publicUrl === undefined;
    case "ends-soon":
      return true;
    case "extended":
      return false;
    case "widened":
      return !news.isDone;
    case "sign-in":
      return news.state === "refused" || news.state === "revoked";
  }
}

const END_TEXTS: Readonly<Record<Ended["why"], string>> = {
  stopped: "it was stopped",
  "stopped-by-person": "a person stopped it",
  expired: "its time is over",
  "address-lost": "its address was lost, and no other could be opened",
  "server-ended": "this command was ended",
  failed: "it could not be opened",
};
