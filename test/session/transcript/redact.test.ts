import { describe, expect, it } from "vitest";
import { inviteView } from "../../../src/view/invites.ts";
import { toBase64url } from "../../../src/protocol/base/bytes.ts";
import { formatLink } from "../../../src/protocol/handshake/invite-link.ts";
import { inviteIdFrom, roomIdFrom } from "../../../src/protocol/base/ids.ts";
import { LINK_REMOVED, withoutLinks } from "../../../src/session/transcript/redact.ts";
import { seededPrimitives } from "../../support/random.ts";

const primitives = seededPrimitives("redact");
const key = primitives.random(32);
const link = formatLink({
  origin: "wss://calm-red-fox.trycloudflare.com",
  room: roomIdFrom(primitives.random(16)),
  key,
  hostKey: primitives.generateDhKeyPair().publicKey,
});
const { invite } = inviteView({
  inviteId: inviteIdFrom(primitives.random(16)),
  joinLink: link,
  expiresInMs: 600_000,
});
const at = link.indexOf("#");
const fragment = link.slice(at);

describe("what is taken out of a transcript", () => {
  it.each([
    ["a link", link],
    ["two", `${link} and ${link}`],
    ["a link in Markdown", `[here](${link}), or <${link}>.`],
    ["a fragment alone", `add ${fragment} to the address`],
    ["the half that opens the door", fragment.slice(0, 3 + 43)],
    ["a part of it", fragment.slice(0, 30)],
    ["a link whose sign is written otherwise", link.replace("#", "%23")],
    ["a link under another scheme", link.replace("wss:", "https:")],
    [
      "a link that was broken over lines",
      `${link.slice(0, at + 9)}\n${link.slice(at + 9, at + 50)}\n> ${link.slice(at + 50)}`,
    ],
    ["an invite", invite],
  ])("[J4] %s", (_, text) => {
    const shown = withoutLinks(text);
    expect(shown).toContain(LINK_REMOVED);
    const secret = toBase64url(key);
    for (let from = 0; from + 12 <= secret.length; from += 1)
      expect(shown).not.toContain(secret.slice(from, from + 12));
  });

  it("[J4] is the whole invite, so that nobody is told to join what they cannot", () => {
    expect(withoutLinks(`Here:\n${invite}\nSee you`)).toBe(`Here:\n${LINK_REMOVED}\nSee you`);
  });

  it.each([
    "See section #1.2 and #1.introduction",
    "https://example.com/page#1.2.3",
    "wss://calm-red-fox.trycloudflare.com is up",
    "a\n#1. First\n#2. Second, and some more words that follow",
  ])("leaves alone what is none: %j", (text) => {
    expect(withoutLinks(text)).toBe(text);
  });

  it("takes no longer for a text that is made to be slow", () => {
    for (const text of [
      "a://".repeat(16_000),
      "#1.".repeat(21_000),
      `#1.${"a".repeat(65_000)}`,
      "Let your coding agent join mine in an end-to-end".repeat(1_300),
    ])
      expect(withoutLinks(text).length).toBeLessThanOrEqual(text.length);
  });
});
