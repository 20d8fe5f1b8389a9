import { addressKind } from "../../net/address.ts";

/** An https URL as programs print it. Marks that surround it in text cannot be part of it. */
const FIRST_HTTPS = /https:\/\/[^\s"'`<>|\\^{}]+/i;
/** Marks that end a sentence or a bracket around a URL. */
const TRAILING = /[.,;:!?)\]}'"*_…]+$/;
const SCHEMES: Readonly<Record<string, string>> = {
  "https:": "https:",
  "wss:": "https:",
  "http:": "http:",
  "ws:": "http:",
};

/**
 * The first URL in a line of output, as an origin (http or https, no path). `pattern` finds it, by its first group or as
 * a whole; without a scheme it counts as https. Undefined when the line has none that can be dialled.
 */
export function urlIn(line: string, pattern: RegExp | undefined): URL | undefined {
  const { source, flags } = pattern ?? FIRST_HTTPS;
  const everywhere = new RegExp(source, `${flags.replaceAll(/[gy]/g, "")}g`);
  for (const [whole, group] of plainText(line).matchAll(everywhere)) {
    const url = originOf((group ?? whole).trim().replace(TRAILING, ""));
    if (url !== undefined) return url;
  }
  return undefined;
}

function originOf(text: string): URL | undefined {
  const full = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  const scheme = url === undefined ? undefined : SCHEMES[url.protocol];
  if (url === undefined || scheme === undefined || url.username !== "" || url.password !== "")
    return undefined;
  const origin = `${scheme}//${url.host}`;
  return url.host !== "" && URL.canParse(origin) ? new URL(origin) : undefined;
}

/** Whether a link may name it: encrypted on the way, or never leaving this machine. */
export function isSafe({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || hostname === "localhost" || addressKind(hostname) === "loopback";
}

const ESCAPE = String.raw`\u001b`;
const STRING_END = String.raw`(?:\u0007|\u001b\\)`;
const BODY = String.raw`[^\u0007\u001b]*`;
const PARAMETERS = String.raw`[^;\u0007\u001b]*`;
/** A hyperlink of a terminal, whose target counts. */
const HYPERLINK = new RegExp(String.raw`${ESCAPE}\]8;${PARAMETERS};(${BODY})${STRING_END}`, "g");
const OTHER_STRING = new RegExp(String.raw`${ESCAPE}[\]PX^_]${BODY}${STRING_END}`, "g");
/** Colours may stand within a URL, so they vanish; other movements of the cursor separate. */
const COLOUR = new RegExp(String.raw`${ESCAPE}\[[\d;:]*m`, "g");
const MOVEMENT = new RegExp(String.raw`${ESCAPE}(?:\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])`, "g");
const CONTROL = /\p{Cc}/gu;

/** A line without what steers a terminal. */
function plainText(line: string): string {
  return line
    .replaceAll(HYPERLINK, " $1 ")
    .replaceAll(OTHER_STRING, "")
    .replaceAll(COLOUR, "")
    .replaceAll(MOVEMENT, " ")
    .replaceAll(CONTROL, " ");
}
