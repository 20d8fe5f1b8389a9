import { TunnelError } from "../errors/tunnel-error.ts";
import { trim } from "../protocol/base/characters.ts";
import { parseLink, type InviteLink } from "../protocol/handshake/invite-link.ts";
import { OBSERVER_ROLES } from "../protocol/handshake/role.ts";

/**
 * Invite links as people and their programs pass them on: in the middle of an invite or a mail, wrapped, quoted, escaped. Only
 * what can be meant in one way is read. {@link parseLink} stays the one judge of a link.
 */

/** The longest text in which a link is looked for: many times an invite, with room for a mail around it. */
const MAX_CHARS = 64 * 1024;
/** Wrappers that follow clicks escape a link once, and another one around them a second time. */
const MAX_ESCAPES = 3;

/** Characters that take no room, which programs put into long words to break them; also as a URL writes them. */
const UNSEEN =
  /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]|\u034f|[\ufe00-\ufe0f]|%C2%AD|%E2%80%8[B-F]|%E2%81%A0|%EF%BB%BF/giu;

const NAMED_ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  num: "#",
  colon: ":",
  sol: "/",
  period: ".",
  lowbar: "_",
  shy: "",
  zwj: "",
  zwnj: "",
};

/** A printable ASCII character: nothing else can be part of a link. */
function ascii(code: number, otherwise: string): string {
  return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : otherwise;
}

function withoutEntities(text: string): string {
  return text.replace(
    /&(?:#(\d{1,6})|#[xX]([\da-fA-F]{1,5})|([a-z]{2,6}));/g,
    (whole, decimal, hex, name) => {
      if (typeof name === "string") return NAMED_ENTITIES[name] ?? whole;
      const code = typeof hex === "string" ? Number.parseInt(hex, 16) : Number(decimal);
      return ascii(code, String.fromCodePoint(code).replace(UNSEEN, "") === "" ? "" : whole);
    },
  );
}

/** Two hexadecimal digits of printable ASCII. */
const HEX = "([2-7][\\da-fA-F])";
const ESCAPES = [new RegExp(`\\\\u00${HEX}`, "g"), new RegExp(`%${HEX}`, "g")];

function withoutEscapes(text: string): string {
  return ESCAPES.reduce(
    (rest, escape) => rest.replace(escape, (whole, hex: string) => ascii(Number.parseInt(hex, 16), whole)),
    withoutEntities(text),
  );
}

/** The text without what programs have added to it on its way. */
function unwrapped(given: string): string {
  let text = given
    .replace(UNSEEN, "")
    // Soft breaks of quoted-printable, and breaks that HTML or JSON write out.
    .replace(/=\r?\n/g, "")
    .replace(/=3D/g, "=")
    .replace(/<\/?(?:wbr|span|b|i|em|strong|code)\b[^<>]{0,200}>/gi, "")
    .replace(/<br\s{0,9}\/?>/gi, "\n")
    .replace(/\\r\\n|\\[nr]/g, "\n");
  for (let times = 0; times < MAX_ESCAPES; times += 1) {
    const before = text;
    text = withoutEscapes(text);
    if (text === before) break;
  }
  return (
    text
      // Markdown and JSON put a backslash before marks.
      .replace(/\\([^A-Za-z0-9\s])/g, "$1")
      .replace(/\r\n?|[\u2028\u2029\v\f]/g, "\n")
      // Quotation marks of mails and chats at the beginning of lines.
      .replace(/^[ \t]*(?:[>|][ \t]?)+/gm, "")
      // Emphasis whose mark could be a letter of the key.
      .replace(/(?<![\w-])(_{1,2})(?=ws)(\S+)\1(?![\w-])/gi, "$2")
  );
}

/** A line that goes on in the next one: not across an empty line, which ends a paragraph. */
const WRAP = "(?:[ \\t\\u00a0]*\\n[ \\t\\u00a0]*)?";
/** For a text that is nothing but a link: a field of one line makes spaces of line breaks. */
const GAP = "\\s*";

/**
 * A link with `gap` wherever a line may end. Its parts have fixed lengths (PROTOCOL §2), so its end is certain. The groups are
 * origin, room and fragment.
 */
function pattern(gap: string): string {
  const some = (letter: string, count: number): string => `${letter}(?:${gap}${letter}){${count - 1}}`;
  const name = `[a-z\\d](?:${gap}[a-z\\d.-]){0,252}`;
  const address = `\\[(?:${gap}[\\da-f:.]){2,45}${gap}\\]`;
  const origin = ["(wss?", ":", "/", "/", `(?:${name}|${address})(?:${gap}:(?:${gap}\\d){1,5})?)`];
  const room = ["/", "t", "/", `(${some("[\\w-]", 22)})`];
  const role = OBSERVER_ROLES.toSorted((a, b) => b.length - a.length).map((word) => word.split("").join(gap));
  const mark = `(?:${gap}\\.${gap}(?:${role.join("|")}))?`;
  const fragment = ["#", "(1", "\\.", some("[\\w-]", 43), "\\.", `${some("[\\w-]", 43)}${mark})`];
  return [...origin, ...room, ...fragment].join(gap);
}

/** The beginning of something that may be a link. */
const START = new RegExp(`(?<![a-z\\d])wss?:${WRAP}/${WRAP}/${WRAP}[[a-z\\d]`, "gi");
/** A link goes no further: no letter of a key comes, and no mark that would join what follows to it. */
const END = "(?![\\w-]|[=#%]|[.:/?@~+$][\\w-])";
const WRAPPED = new RegExp(pattern(WRAP) + END, "iy");
const WHOLE = new RegExp(`^${pattern(GAP)}$`, "i");

/** One spelling for each link: scheme, host and an observer's mark in lower case, without breaks. */
function spelled([, origin = "", room = "", fragment = ""]: readonly string[]): string {
  const keys = fragment.replace(/\s+/g, "");
  const [mark = ""] = /\.observer.*$/i.exec(keys) ?? [];
  const rest = keys.slice(0, keys.length - mark.length);
  return `${origin.toLowerCase()}/t/${room}`.replace(/\s+/g, "") + `#${rest}${mark.toLowerCase()}`;
}

/** What stands in the place of a link that is not whole, up to the next space or mark. */
function fragmentAt(text: string, at: number): string {
  const [run = ""] = /^[^\s<>"'`()]*/.exec(text.slice(at, at + 1_024)) ?? [];
  return run.replace(/[.,;:!?\u2026\]}*]+$/, "");
}

interface Found {
  readonly links: ReadonlySet<string>;
  /** Those that stop before they are whole. */
  readonly fragments: readonly string[];
}

function search(text: string): Found {
  const links = new Set<string>();
  const fragments: string[] = [];
  for (const { index } of text.matchAll(START)) {
    WRAPPED.lastIndex = index;
    const found = WRAPPED.exec(text);
    if (found !== null) links.add(spelled(found));
    else fragments.push(fragmentAt(text, index));
  }
  return { links, fragments };
}

/** A fragment that is the beginning of a whole link is the same link, cut short to be shown. */
function isBeginningOf(fragment: string, links: ReadonlySet<string>): boolean {
  const [link = ""] = links;
  return link.toLowerCase().startsWith(fragment.toLowerCase().replace(/(?:\u2026|\.{2,3}).*$/, ""));
}

/** Where links lead, for a human to tell them apart by; the rest of a link is a secret. */
function hostsOf(links: Iterable<string>): string {
  return [...new Set(Array.from(links, (link) => parseLink(link).origin))].join(" and ").slice(0, 200);
}

function malformed(detail: string): TunnelError {
  return new TunnelError("link-malformed", { detail });
}

/** Says what was seen where there is no whole link. @throws {TunnelError} link-malformed, link-version */
function refuse(given: string, { fragments }: Found): never {
  const distinct = [...new Set(fragments)];
  const [only, ...more] = distinct;
  if (more.length > 0) throw malformed(`${distinct.length} links were seen, and none of them is whole`);
  // The strict reader says best what is missing in it.
  if (only !== undefined) parseLink(only.replace(/^wss?:\/\/[^/]*/i, (origin) => origin.toLowerCase()));
  if (/\bhttps?:\/\//i.test(given))
    throw malformed("an https link was seen, and none that begins with wss:// or ws://");
  if (/\/t\/[\w-]{22}#/.test(given))
    throw malformed("what is before /t/ does not begin with wss:// or ws://");
  throw malformed(trim(given) === "" ? "it is empty" : "no link was seen in it");
}

/**
 * The one invite link in a text: the link itself, the whole invite, a line of it, or whatever a mail or chat program has made of
 * them. The same link twice is one link.
 * @throws {TunnelError} link-malformed for none, for several, and for one that is not whole, saying what was seen without its
 * secret part; link-version
 */
export function inviteLinkIn(given: string): InviteLink {
  // Before anything that looks at every character: the text may be anybody's.
  if (given.length > MAX_CHARS) throw malformed("it is too long");
  const text = unwrapped(given);
  const found = search(text);
  const [only, ...more] = found.links;
  if (only === undefined) {
    const bare = trim(text).replace(/^[<("'`[]+|[>)"'`\].,;!]+$/g, "");
    const whole = WHOLE.exec(bare);
    return whole === null ? refuse(text, found) : parseLink(spelled(whole));
  }
  if (more.length > 0)
    throw malformed(
      `${found.links.size} different links were seen, to ${hostsOf(found.links)}: give one of them`,
    );
  if (!found.fragments.every((one) => isBeginningOf(one, found.links)))
    throw malformed(`a link to ${hostsOf(found.links)} was seen, and part of another one: give one of them`);
  return parseLink(only);
}
