import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Exposure } from "../../expose/exposures/exposure.ts";
import type { Exposures, Started } from "../../expose/exposures/exposures.ts";
import { EXPOSE } from "../../expose/exposures/limits.ts";
import { targetAskedFor, type ExposureRequest } from "../../expose/exposures/request.ts";
import type { Clock } from "../../runtime/clock.ts";
import { startedView, type StartedView } from "../../view/expose/exposures.ts";
import { replayView, requestView, wholeRequestView } from "../../view/expose/exposure-requests.ts";
import { passOnText } from "./opened-text.ts";
import { scanned, type PersonView } from "./person-view.ts";
import { clockText, requestLine, requestName, type RequestLineStyle } from "./request-line.ts";
import { EXPOSE_COMMANDS, readTyped, type Typed } from "./typed.ts";
import { replayText, wholeText } from "./whole-text.ts";

export interface CommandsOptions {
  readonly exposures: Exposures;
  readonly view: PersonView;
  readonly clock: Clock;
  /** For command lines that are copied from the screen. */
  readonly platform: string;
  readonly hasSeveral: boolean;
  readonly isConsented: boolean;
  readonly style: () => RequestLineStyle;
  readonly print: (text: string) => void;
  readonly quit: () => void;
  /** Ends a replay that is under way. */
  readonly signal: AbortSignal;
}

/** Requests that `requests` shows. */
const LISTED = 20;

/**
 * Carries out what a person types about their exposures.
 * @throws {TunnelError} input-invalid, expose-unknown, expose-ambiguous, request-unknown, replay-*, claims-too-many, claim-unknown
 */
export async function obeyTyped(line: string, options: CommandsOptions): Promise<void> {
  const typed = readTyped(line);
  switch (typed.do) {
    case "nothing":
      return;
    case "help":
      return options.print(helpText());
    case "quit":
      return options.quit();
    default:
      return obeyAbout(options.exposures.resolve(typed.name), typed, options);
  }
}

async function obeyAbout(
  exposure: Exposure,
  typed: Exclude<Typed, { do: "nothing" | "help" | "quit" }>,
  options: CommandsOptions,
): Promise<void> {
  const { view, print, style, signal } = options;
  const { inspector } = exposure;
  switch (typed.do) {
    case "info":
      return view.info(openOf(exposure, options));
    case "qr": {
      const { link, caption } = scanned(openOf(exposure, options));
      return view.qr(link, caption);
    }
    case "link":
      return link(exposure, options);
    case "claims":
      return claims(exposure, options);
    case "revoke":
      if (!exposure.revoke(typed.claim)) throw new TunnelError("claim-unknown");
      return view.tell(`${typed.claim} is taken back: neither the link nor what it gave lets anybody in.`);
    case "more":
      return more(exposure, typed.minutes, options);
    case "requests": {
      const { requests } = inspector.list({ limit: LISTED });
      if (requests.length === 0) return view.tell("Nothing has come yet.");
      for (const one of requests.toReversed()) {
        const id = requestName(one.id, exposure.name, options.hasSeveral);
        print(requestLine(requestView(one, inspector.redactor), id, style()));
      }
      return;
    }
    case "show":
      return print(wholeText(wholeRequestView(inspector.get(typed.id), inspector.redactor), style()));
    case "replay": {
      const replayed = await exposure.replay({ id: typed.id }, signal);
      return print(replayText(replayView(replayed, inspector.redactor), style()));
    }
    case "stop":
      return exposure.stop("stopped");
  }
}

/** @throws {TunnelError} expose-opening */
function openOf(exposure: Exposure, { clock, platform }: CommandsOptions): StartedView {
  const view = startedView(exposure, { now: clock.now(), newClaims: [], platform });
  if (view === undefined) throw new TunnelError("input-invalid", { detail: "it is not open yet" });
  return view;
}

/** Through the same door as a start: it is asked for where that would be. */
function again(exposure: Exposure, wanted: Partial<ExposureRequest>, options: CommandsOptions): Started {
  openOf(exposure, options);
  const { exposures, isConsented } = options;
  const request = { ...targetAskedFor(exposure.request), name: exposure.name, ...wanted };
  return exposures.start(request, { isConsented });
}

const WAITS =
  "It waits for a person, who types tunnel-mcp watch in a terminal of their own. info shows what there is then.";

function link(exposure: Exposure, options: CommandsOptions): void {
  const { view, print, style } = options;
  const { newClaims, askId } = again(exposure, { claims: 1 }, options);
  if (askId !== undefined) return view.tell(WAITS);
  for (const { id, url } of newClaims) {
    print([`A link to pass on (${id}):`, ...passOnText(url, style().columns)].join("\n"));
    view.qr(url, "The same, for a phone:");
  }
}

function more(exposure: Exposure, minutes: number, options: CommandsOptions): void {
  const { view, clock } = options;
  const leftMinutes = Math.max(0, exposure.endsAt - clock.now()) / 60_000;
  const expiresInMinutes = Math.min(EXPOSE.maxMinutes, leftMinutes + minutes);
  // Its outcome is news, as where a person decides later.
  const { askId } = again(exposure, { expiresInMinutes }, options);
  if (askId !== undefined) view.tell(WAITS);
}

function claims(exposure: Exposure, { view }: CommandsOptions): void {
  if (exposure.claims.length === 0) return view.tell("No link was made.");
  for (const { id, state, claimedAt, lastSeenAt } of exposure.claims) {
    const at = (when: number | undefined): string => (when === undefined ? "" : ` at ${clockText(when)}`);
    const used = `used${at(claimedAt)}${lastSeenAt === undefined ? "" : `, last seen${at(lastSeenAt)}`}`;
    view.tell(`${id}  ${state === "claimed" ? used : state === "unused" ? "not used yet" : "taken back"}`);
  }
}

function helpText(): string {
  const lines = EXPOSE_COMMANDS.map(([word, usage, help]) => ({ left: `${word} ${usage}`.trimEnd(), help }));
  const width = Math.max(...lines.map(({ left }) => left.length));
  return lines.map(({ left, help }) => `  ${left.padEnd(width)}  ${help}`).join("\n");
}
