import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCommand } from "../../src/cli/args.ts";
import { readConfig } from "../../src/cli/env.ts";
import { allSettings } from "../../src/cli/settings.ts";
import { fromBase64url, toBase64url } from "../../src/protocol/base/bytes.ts";
import { parseMemberId, parseRoomId } from "../../src/protocol/base/ids.ts";
import { ROOM } from "../../src/protocol/base/limits.ts";
import { formatLink, parseLink } from "../../src/protocol/handshake/invite-link.ts";
import { isAssigned, isNameFor, plainName, uniqueName } from "../../src/protocol/base/names.ts";
import { checkGoal, checkName, checkText, isGoal, isName, isText } from "../../src/protocol/base/text.ts";
import { mutated, oddText, refusal, seeded } from "../hostile-peers/support/input.ts";
import { World } from "../support/wire.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const utf8 = (text: string): Uint8Array => encodeUtf8(text);

describe("text that somebody else has written", () => {
  const link = formatLink(new World().link());
  const nearLink = fc.oneof(
    oddText,
    mutated(utf8(link)).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc.tuple(oddText, oddText).map(([before, after]) => `${before}${link}${after}`),
    fc.webUrl({ withFragments: true }).map((url) => url.replace(/^http/, "ws")),
  );

  it("[L1] [L2] is a link that reads the same when written again, or is refused", () => {
    fc.assert(
      fc.property(nearLink, (text) => {
        const code = refusal(() => {
          const parsed = parseLink(text);
          expect(text).toContain(formatLink(parsed));
        });
        expect([undefined, "link-malformed", "link-version"]).toContain(code);
      }),
      seeded(1, 800),
    );
  });

  it("[C2] is base64url of a value whose only text it is, or nothing", () => {
    const letters = fc.string({ unit: fc.constantFrom(...Array.from("AQgw_-z9=+/ \n\u00e9")) });
    fc.assert(
      fc.property(fc.oneof(letters, oddText), fc.nat(40), (text, length) => {
        const bytes = fromBase64url(text, length);
        if (bytes !== undefined) expect([toBase64url(bytes), bytes.length]).toEqual([text, length]);
        for (const parse of [parseRoomId, parseMemberId]) expect([undefined, text]).toContain(parse(text));
      }),
      seeded(2, 800),
    );
  });

  it("[T1] [T2] is a name, a goal or a text by one rule, whoever asks", () => {
    fc.assert(
      fc.property(oddText, (text) => {
        for (const [is, check] of [
          [isName, checkName],
          [isGoal, checkGoal],
          [isText, (one: string) => checkText(one)],
        ] as const) {
          let checked = "";
          const code = refusal(() => (checked = check(text)));
          // What this side lets through, the other side must not refuse.
          if (code === undefined) expect(is(checked)).toBe(true);
          // A name that a host of this platform would not let in is not asked for (G1).
          const isTaken = check !== checkName || isAssigned(text);
          if (isTaken && is(text) && text.normalize("NFC") === text)
            expect([code, checked]).toEqual([undefined, checked]);
        }
      }),
      seeded(3, 400),
    );
  });

  it("[G1] [T1] gets a name of its own in a room, which every member takes for one", () => {
    const name = fc.oneof(
      oddText.filter(isName),
      fc.constantFrom(
        "ana",
        "ANA",
        "ａｎａ",
        "ana (2)",
        "ana (2) (2)",
        "x".repeat(64),
        "İ".repeat(64),
        "ﷺ".repeat(18),
      ),
    );
    fc.assert(
      fc.property(fc.array(name, { maxLength: 20 }), (wanted) => {
        const taken: string[] = [];
        for (const one of wanted) taken.push(uniqueName(one, taken));
        expect(taken.filter((one) => !isName(one))).toEqual([]);
        expect(taken.filter((one, at) => !isNameFor(wanted[at] ?? "", one))).toEqual([]);
        expect(new Set([...taken, "tunnel"].map(plainName)).size).toBe(taken.length + 1);
        const folded = taken.map((one) => one.normalize("NFKC").toLowerCase().normalize("NFKC"));
        expect(new Set(folded).size).toBe(taken.length);
      }),
      seeded(4, 150),
    );
  });

  it("keeps to the limits of names and texts at their very edge", () => {
    expect(isName("x".repeat(ROOM.maxNameChars)) && !isName("x".repeat(ROOM.maxNameChars + 1))).toBe(true);
    expect(isGoal("🐙".repeat(ROOM.maxGoalChars)) && !isGoal("🐙".repeat(ROOM.maxGoalChars + 1))).toBe(true);
    expect(refusal(() => checkText("é".repeat(ROOM.maxTextBytes / 2)))).toBeUndefined();
    expect(refusal(() => checkText("é".repeat(ROOM.maxTextBytes / 2) + "x"))).toBe("text-too-long");
  });
});

describe("what the user's machine hands over", () => {
  const NAMES = allSettings().map(({ variable }) => variable);

  it("environment variables give a configuration, or an error that quotes none of their values", () => {
    const value = fc.oneof(
      oddText,
      fc.constantFrom(
        "direct",
        "on",
        "1",
        "0x1f90",
        "65536",
        "::1",
        "wss://a.example",
        "ws://a:b@c",
        "/bin/x",
      ),
      fc.webUrl(),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...NAMES), value), (env) => {
        const secret = "QUOTED-BY-NOBODY";
        const code = refusal(() => {
          const { port, idleMinutes, inviteMinutes, name } = readConfig(env).config;
          expect([port, idleMinutes, inviteMinutes].every(Number.isInteger)).toBe(true);
          expect(port >= 0 && port < 65_536 && idleMinutes > 0 && inviteMinutes > 0).toBe(true);
          expect(name === undefined || isName(name)).toBe(true);
        });
        expect([undefined, "config-invalid"]).toContain(code);
        for (const variable of NAMES) {
          let problems: readonly Error[] = [];
          const read = () => ({ problems } = readConfig({ ...env, [variable]: `\0${secret}` }));
          expect(thrownText(read)).not.toContain(secret);
          expect(problems.join()).not.toContain(secret);
        }
      }),
      seeded(5, 80),
    );
  });

  it("arguments are a command or a usage error, with `__proto__` and the like among them", () => {
    const kinds = [
      "serve",
      "help",
      "version",
      "demo",
      "doctor",
      "install-skill",
      "uninstall-skill",
      "setup",
      "usage-error",
    ];
    const word = fc.oneof(
      oddText,
      fc.constantFrom(
        "demo",
        "doctor",
        "install-skill",
        "uninstall-skill",
        "setup",
        "--client=__proto__",
        "--version",
        "--dir",
        "--dir=",
        "--transport=direct",
      ),
      fc.constantFrom(
        "--",
        "-",
        "--force=1",
        "--no-force",
        "--__proto__",
        "--constructor=x",
        "-hv",
        "---",
        "=",
        "--=x",
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), (args) => {
        expect(kinds).toContain(parseCommand(args).kind);
        expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
      }),
      seeded(6, 600),
    );
  });
});

function thrownText(call: () => unknown): string {
  try {
    call();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}
