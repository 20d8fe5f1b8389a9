import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatLink } from "../../src/protocol/handshake/invite-link.ts";
import { inviteLinkIn } from "../../src/arguments/invite-text.ts";
import { inviteView } from "../../src/view/invites.ts";
import { inviteIdFrom } from "../../src/protocol/base/ids.ts";
import { thrownBy } from "../support/thrown.ts";

const ROOM = "AAECAwQFBgcICQoLDA0ODw";
const KEY = "Ab-_".repeat(10) + "AbE";
const HOST_KEY = `${"C_-d".repeat(10)}CAA`;
const HOST = "calm-red-fox.trycloudflare.com";
const GOOD = `wss://${HOST}/t/${ROOM}#1.${KEY}.${HOST_KEY}`;
const OTHER = `wss://other.example/t/${ROOM}#1.${"B".repeat(42)}A.${HOST_KEY}`;

const linkOf = (text: string): string => formatLink(inviteLinkIn(text));
const encoded = encodeURIComponent(GOOD);
const { invite } = inviteView({
  inviteId: inviteIdFrom(new Uint8Array(16)),
  joinLink: GOOD,
  expiresInMs: 600_000,
});
const wrappedAt = (width: number, text: string, joint: string): string =>
  (text.match(new RegExp(`[\\s\\S]{1,${width}}`, "g")) ?? []).join(joint);

describe("the one invite link in a text", () => {
  it.each<[string, string]>([
    ["is the text", GOOD],
    ["stands in the whole invite", invite],
    ["stands in the whole invite in a quoted mail", invite.replace(/^/gm, "> > ")],
    ["stands in the whole invite with the line ends of Windows", invite.replaceAll("\n", "\r\n")],
    ["stands in the whole invite as JSON writes it", JSON.stringify({ invite })],
    ["stands in one line of a sentence", `Join this tunnel: ${GOOD} and tell me.`],
    ["comes after a command of a chat", `tunnel-mcp join '${GOOD}'`],
    ["stands between angle brackets", `<${GOOD}>`],
    ["is a link of Markdown", `[the tunnel](${GOOD})`],
    ["is a link of Markdown that shows itself", `[${GOOD}](${GOOD})`],
    ["is a link of Markdown with a title", `[join](${GOOD} "a tunnel")`],
    ["is shown cut short beside the whole", `[wss://${HOST}/t/AAEC…](${GOOD})`],
    ["is shown cut short with dots beside the whole", `wss://${HOST}/t/AAEC... ${GOOD}`],
    ["is code", `\`${GOOD}\``],
    ["stands in a block of code", `\`\`\`text\n${GOOD}\n\`\`\``],
    ["is bold", `**${GOOD}**`],
    ["is in italics", `_${GOOD}_`],
    ["is struck by a mark of a list", `- ${GOOD}`],
    ["is quoted", `“${GOOD}”`],
    ["is quoted twice", `"'${GOOD}'"`],
    ["is a link of a chat", `<${GOOD}|join>`],
    ["is followed by a full stop", `${GOOD}.`],
    ["is followed by dots", `${GOOD}...`],
    ["is followed by a comma", `${GOOD}, please`],
    ["is followed by a question mark and a bracket", `(${GOOD}?)`],
    ["is followed by a colon and an exclamation mark", `${GOOD}:!`],
    ["is escaped for HTML", GOOD.replace("#", "&#35;").replaceAll("/", "&#x2F;")],
    ["is escaped for HTML twice", GOOD.replace("#", "&amp;#35;")],
    ["stands in HTML", `<p><a href="${GOOD}">${GOOD}</a></p>`],
    ["is broken by HTML where it may wrap", GOOD.replaceAll(".", ".<wbr>")],
    ["has its number sign escaped", GOOD.replace("#", "%23")],
    ["is percent-encoded", encoded],
    ["is percent-encoded in lower case", encoded.replace(/%../g, (one) => one.toLowerCase())],
    [
      "is wrapped by a service that follows clicks",
      `https://safe.example/?url=${encoded}&data=05%7C01&reserved=0`,
    ],
    ["is wrapped twice", `https://a.example/?u=${encodeURIComponent(`https://b.example/?q=${encoded}&x=1`)}`],
    ["has slashes escaped as in JSON", GOOD.replaceAll("/", "\\/")],
    ["has marks escaped as in Markdown", GOOD.replace(/[_.#-]/g, "\\$&")],
    ["has its number sign escaped as in JSON", GOOD.replace("#", "\\u0023")],
    ["has its scheme in capitals", GOOD.replace("wss", "WSS")],
    ["has its scheme with a capital", GOOD.replace("wss", "Wss")],
    ["has its host in capitals", GOOD.replace(HOST, HOST.toUpperCase())],
    ["is given twice", `${GOOD}\n${GOOD}`],
    ["is given twice in other letter case", `${GOOD} ${GOOD.replace("wss", "WSS")}`],
    ["has spaces around it", `  \t${GOOD}\n\n`],
    ["has a no-break space around it", `\u00a0${GOOD}\u00a0`],
    ["has a break before the room", GOOD.replace("/t/", "/t/\n")],
    ["has a break before its fragment", GOOD.replace("#", "\n#")],
    ["has a break in its scheme", GOOD.replace("wss://", "wss://\n")],
    ["is broken into lines of 20", wrappedAt(20, GOOD, "\n")],
    ["is broken into lines of 33 that are indented", wrappedAt(33, GOOD, "   \n    ")],
    ["is broken into lines of Windows", wrappedAt(40, GOOD, "\r\n")],
    ["is broken into the lines of a quoted mail", `> ${wrappedAt(40, GOOD, "\n> ")}\n> bye`],
    ["is broken as quoted-printable", `see ${wrappedAt(70, GOOD, "=\r\n")}=\r\n and come`],
    ["is broken by spaces, and nothing else is there", wrappedAt(50, GOOD, " ")],
    ["is broken in a sentence", `Join ${wrappedAt(60, GOOD, "\n")} now`],
    ["has characters in it that nobody sees", wrappedAt(9, GOOD, "\u200b")],
    ["has soft hyphens in it", GOOD.replace(/[-.]/g, "$&\u00ad")],
    ["has word joiners and a mark of the byte order", `\ufeff${GOOD.replaceAll(".", "\u2060.\u2060")}`],
    ["has invisible characters escaped for HTML", GOOD.replaceAll(".", ".&#8203;&shy;")],
  ])("%s", (_what, text) => {
    expect(linkOf(text)).toBe(GOOD);
  });

  it.each(["ws://127.0.0.1:8080", "ws://[::1]:65535", "wss://t", "wss://a.b.example:444"])(
    "may lead to %s",
    (origin) => {
      const link = GOOD.replace(`wss://${HOST}`, origin);
      expect(linkOf(`join ${link}, please`)).toBe(link);
      expect(linkOf(wrappedAt(7, link, "\n"))).toBe(link);
    },
  );
});

describe("a text without exactly one whole link is refused, and says what was seen", () => {
  it.each<[string, string, RegExp]>([
    ["nothing", "", /it is empty/],
    ["white space", " \n\u200b", /it is empty/],
    ["a sentence", "please join my tunnel", /no link was seen/],
    ["our own advice", "it starts with wss:// or ws:// and is one line", /no link was seen/],
    ["an https link", "https://calm.example/join", /an https link was seen/],
    ["a link of a web page to the room", GOOD.replace("wss", "https"), /an https link was seen/],
    ["a link without its scheme", GOOD.replace("wss://", ""), /does not begin with wss:\/\//],
    [
      "two links",
      `${GOOD}\n${OTHER}`,
      /2 different links were seen, to wss:\/\/calm-red-fox\S+ and wss:\/\/other\.example/,
    ],
    [
      "two links to one room",
      `${GOOD} ${GOOD.replace(KEY, "C".repeat(42) + "A")}`,
      /2 different links were seen/,
    ],
    ["a whole link and part of another", `${GOOD} wss://other.example/t/${ROOM}`, /part of another one/],
    [
      "parts of two links",
      `${GOOD.slice(0, 60)} ${OTHER.slice(0, 50)}`,
      /2 links were seen, and none of them is whole/,
    ],
    ["a link without its secret", GOOD.slice(0, GOOD.indexOf("#")), /the part after # is missing/],
    ["a link that is cut short", GOOD.slice(0, -1), /truncated or altered/],
    [
      "a link that is cut short in the invite",
      invite.replace(HOST_KEY, HOST_KEY.slice(0, -3)),
      /truncated or altered/,
    ],
    ["a link that is shown cut short", `${GOOD.slice(0, -9)}…`, /truncated or altered/],
    ["a link with something behind it", `${GOOD}.x`, /truncated or altered/],
    ["a link with a letter behind it", `${GOOD}A`, /truncated or altered/],
    ["a link with a second fragment", `${GOOD}#x`, /truncated or altered/],
    ["a link with padding", `${GOOD}=`, /truncated or altered/],
    ["a link with a path behind the room", GOOD.replace("#", "/#"), /the room between/],
    [
      "a link with spaces in it among words",
      `join ${wrappedAt(60, GOOD, " ")} now`,
      /part after # is (?:missing|truncated)/,
    ],
    ["a link over two paragraphs", `join ${GOOD.replace(".C_", ".\n\nC_")} now`, /truncated or altered/],
    ["the form of a link", "wss://HOST/t/ROOM#1.KEY.HOSTKEY", /the room between/],
    ["a text that is too long", GOOD + " ".repeat(70_000), /too long/],
  ])("%s", (_what, text, said) => {
    const error = thrownBy(() => inviteLinkIn(text));
    expect(error).toMatchObject({ code: "link-malformed", message: expect.stringMatching(said) });
    for (const secret of [KEY, HOST_KEY]) expect(error.message).not.toContain(secret.slice(0, 12));
  });

  it("a link of a later version is told as one", () => {
    const text = invite.replace("#1.", "#2.");
    expect(thrownBy(() => inviteLinkIn(text))).toMatchObject({ code: "link-version" });
  });

  it("never fails otherwise than by saying so, and never reads another link than the one given", () => {
    const noise = fc.string({ unit: "binary", maxLength: 4 });
    fc.assert(
      fc.property(fc.nat(GOOD.length), noise, fc.nat(8), (at, inserted, gone) => {
        const text = GOOD.slice(0, at) + inserted + GOOD.slice(at + gone);
        try {
          const link = linkOf(text);
          if (gone === 0 && !/[\w.:[\]-]/.test(inserted)) expect(link).toBe(GOOD);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^link-(?:malformed|version)$/) });
        }
      }),
      { numRuns: 500 },
    );
  });

  it("takes time in proportion to its text, whatever that is", () => {
    const pieces = ["wss://a", "wss:\n/", "_ws", "%", "&#", "> ", "\\", "=\n", "[", "a.", "\n", " ", "<br"];
    for (const piece of [...pieces, GOOD.slice(0, -1)]) {
      const text = piece.repeat(Math.floor(65_000 / piece.length));
      const started = performance.now();
      expect(thrownBy(() => inviteLinkIn(text)).code).toMatch(/^link-/);
      expect(performance.now() - started, piece).toBeLessThan(1_000);
    }
  });
});
