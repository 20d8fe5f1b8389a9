import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as fc from "fast-check";
import {
  isBlank,
  NOT_IN_LABELS,
  NOT_IN_TEXTS,
  trim,
  trimEnd,
  WHITE_SPACE,
} from "../../../src/protocol/base/characters.ts";
import {
  EMOJI_SIGNS,
  IDEOGRAPHS,
  JOINED_LETTERS,
  MONGOLIAN_LETTERS,
  MYANMAR_LETTERS,
  VIRAMAS,
} from "../../../src/protocol/base/labels.ts";
import {
  foldedName,
  isAssigned,
  isNameFor,
  numberedName,
  plainName,
} from "../../../src/protocol/base/names.ts";
import { checkName, isName, isText } from "../../../src/protocol/base/text.ts";
import { three } from "../../hostile-peers/support/room.ts";
import { Impostor } from "../../support/impostor.ts";
import { codeOf } from "../../support/thrown.ts";
import { nodePrimitives, texts, World } from "../../support/wire.ts";
import { verifyTranscript } from "../../../src/session/transcript/verify.ts";
import { parseTranscript, toJson } from "../../../src/session/transcript/document.ts";
import { transcriptOf } from "../../support/transcripts.ts";
import { NEEDED_NAMES } from "../../support/vectors.ts";

type Ranges = readonly (readonly [number, number])[];
const isIn = (ranges: Ranges, point: number): boolean =>
  ranges.some(([first, last]) => first <= point && point <= last);

/** Every code point; a surrogate is a text of its own. */
const ALL = Array.from({ length: 0x110000 }, (_, point) => point);
const differing = (ranges: Ranges, platform: RegExp): string[] =>
  ALL.filter((point) => isIn(ranges, point) !== platform.test(String.fromCodePoint(point))).map(
    (point) => `U+${point.toString(16)}`,
  );

const PLACES = [EMOJI_SIGNS, JOINED_LETTERS, VIRAMAS, IDEOGRAPHS, MYANMAR_LETTERS, MONGOLIAN_LETTERS];

const root = new URL("../../../", import.meta.url).pathname;
const specification = readFileSync(path.join(root, "docs/PROTOCOL.md"), "utf8").replaceAll(/\s+/g, " ");
const written = (ranges: Ranges): string =>
  ranges
    .map(([first, last]) =>
      [...new Set([first, last])].map((point) => point.toString(16).toUpperCase()).join("-"),
    )
    .join(" ");

describe("[T5] the characters by which one side judges another", () => {
  it("[T1] [T2] are those of the specification, range by range", () => {
    for (const ranges of [NOT_IN_LABELS, NOT_IN_TEXTS, WHITE_SPACE, ...PLACES])
      expect(specification.includes(written(ranges)), written(ranges)).toBe(true);
  });

  it("[T1] [T2] are decided for every code point by these ranges alone", () => {
    for (const point of ALL) {
      const text = String.fromCodePoint(point);
      const isSpace = isIn(WHITE_SPACE, point);
      if (isName(text) === (isIn(NOT_IN_LABELS, point) || isSpace)) expect(text).toBe("a name or none");
      if (isText(text) === (isIn(NOT_IN_TEXTS, point) || isSpace)) expect(text).toBe("a text or none");
      if (isBlank(text) !== isSpace) expect(text).toBe("blank or not");
    }
  });

  // A platform of another version of Unicode lists its differences here; nothing else changes with them.
  it.runIf(process.versions["unicode"] === "17.0")(
    "[T1] [T2] are those of Unicode 17.0, which this platform has, without a difference",
    () => {
      const label = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
      expect(differing(NOT_IN_LABELS, label)).toEqual([]);
      expect(differing(NOT_IN_TEXTS, /(?![\n\t])\p{Cc}|\p{Cs}/u)).toEqual([]);
      expect(differing(WHITE_SPACE, /\s/u)).toEqual([]);
    },
  );

  it("trims what the platform trims today, in time that grows with the text", () => {
    const text = fc.string({
      unit: fc.constantFrom(" ", "\u3000", "\ufeff", "\n", "\u180e", "\u200b", "x", "\ud800", "🐙"),
    });
    fc.assert(
      fc.property(text, (one) => {
        expect([trim(one), trimEnd(one)]).toEqual([one.trim(), one.trimEnd()]);
      }),
      { numRuns: 200 },
    );
    expect(trim(`${" ".repeat(60_000)}x${" ".repeat(60_000)}y${" ".repeat(60_000)}`)).toHaveLength(60_002);
  });

  it("are asked of the platform by nobody in the core but the host, for names, and what shows them", () => {
    const asked =
      /\\p\{|\\[swb]|\.trim|\.normalize\(|\.to(?:Locale)?(?:Lower|Upper)Case\(|localeCompare|\bIntl\b|\bDate\b|\bURL\b|TextDecoder|isWellFormed/;
    const files = readdirSync(path.join(root, "src/protocol"), { recursive: true, encoding: "utf8" });
    const found = files
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) =>
        readFileSync(path.join(root, "src/protocol", file), "utf8")
          .replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
          .split("\n")
          .filter((line) => asked.test(line))
          .map((line) => `${file.replaceAll("\\", "/")}: ${line.trim()}`),
      );
    expect(found.toSorted()).toEqual(
      [
        // Of ASCII alone.
        'base/text.ts: return `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;',
        // Own input, before it is sent.
        'base/text.ts: const trimmed = trim(goal).normalize("NFC");',
        'base/text.ts: const trimmed = trim(name).normalize("NFC");',
        "base/names.ts: return !/\\p{Cn}/u.test(name);",
        'base/names.ts: return plainName(name).normalize("NFKC").toLowerCase().normalize("NFKC");',
      ].toSorted(),
    );
  });
});

describe("[G1] names", () => {
  it("[T5] that are the same to a member are the same to every host, so that none gets there by an honest one", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(name, (one) => {
        const swapped = Array.from(one, (letter) =>
          /^[A-Z]$/.test(letter)
            ? letter.toLowerCase()
            : /^[a-z]$/.test(letter)
              ? letter.toUpperCase()
              : letter,
        ).join("");
        expect(plainName(swapped)).toBe(plainName(one));
        expect(foldedName(swapped)).toBe(foldedName(one));
      }),
      { numRuns: 500 },
    );
  });

  it("may have a number from 2, which is the only thing that a host may change in one", () => {
    expect(numberedName("x".repeat(64), 12)).toBe(`${"x".repeat(59)} (12)`);
    for (const given of ["ben", "ben (2)", "ben (63)"]) expect(isNameFor("ben", given)).toBe(true);
    for (const given of [
      "Ben",
      "ben (1)",
      "ben (02)",
      "ben  (2)",
      "ben(2)",
      "ben (2) ",
      "be (2)",
      "ben (+2)",
      " (2)",
    ])
      expect(isNameFor("ben", given)).toBe(false);
  });

  it("that differ in what nobody sees are one name to the host, and look alike", () => {
    const [plain, joined] = [
      "\u0639\u0644\u06cc\u0631\u0636\u0627",
      "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    ];
    for (const [one, other] of [
      [plain, joined],
      ["\u2764 ana", "\u2764\ufe0f Ana"],
      ["\u845b\u57ce", "\u845b\u{e0100}\u57ce"],
      ["\u0d30\u0d4d", "\u0d30\u0d4d\u200d"],
    ] as const) {
      expect([isName(one), isName(other)], other).toEqual([true, true]);
      expect(foldedName(one), other).toBe(foldedName(other));
    }
    const world = new World({ hostName: plain });
    const guest = world.pair(joined);
    world.settle();
    expect(guest.member.membership?.order.members.map(({ name }) => name)).toEqual([plain, `${joined} (2)`]);
    expect(guest.member.connection.name).toBe("connected");
  });

  it("are shortened so that they stay names, whatever the cut goes through", () => {
    for (const sequence of NEEDED_NAMES)
      for (let before = 0; before <= 64; before += 1) {
        const name = Array.from("x".repeat(before) + sequence.repeat(64))
          .slice(0, 64)
          .join("");
        if (!isName(name)) continue;
        for (const number of [2, 63]) {
          const numbered = numberedName(name, number);
          if (!isName(numbered) || !isNameFor(name, numbered)) expect([name, numbered]).toBe("a name");
        }
      }
  });

  it("with a character that the host's platform does not know are not let in, and burn no invite", () => {
    const world = new World();
    const link = world.link();
    // U+0378 is no character in any version so far, as U+A7F1 was none before Unicode 17.
    const mallory = new Impostor(world, { ...link, key: link.key.slice() });
    mallory.enter({ name: "s\u0378m" });
    expect(world.sentTo(mallory.connection).at(-1)).toEqual(Uint8Array.of(4));
    expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
    const sam = world.join(link, "sam");
    world.settle();
    expect(sam.member.connection.name).toBe("connected");
    expect([isAssigned("s\u0378m"), isAssigned("Zoë 李 🐙")]).toEqual([false, true]);
    expect(codeOf(() => checkName("s\u0378m"))).toBe("name-invalid");
  });

  it("of a host are as others': one that is called tunnel gets a number", () => {
    const world = new World({ hostName: "Ｔｕｎｎｅｌ" });
    const guest = world.pair();
    world.settle();
    expect(guest.member.membership?.order.members.map(({ name }) => name)).toEqual([
      "Ｔｕｎｎｅｌ (2)",
      "ben",
    ]);
    expect(guest.member.connection.name).toBe("connected");
  });
});

describe("[T5] on a platform to which all texts are the same", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  function withOtherTables(): void {
    for (const method of ["normalize", "toLowerCase", "toUpperCase", "trim", "trimEnd"] as const)
      vi.spyOn(String.prototype, method).mockReturnValue("same");
    vi.spyOn(String.prototype, "localeCompare").mockReturnValue(0);
  }

  it("a member follows a room all the same", () => {
    const { ben, cid } = three();
    withOtherTables();
    ben.tell(cid.speaks("Grüße, \u{a7f1}am"), "Grüße, \u{a7f1}am");
    ben.cut();
    ben.shake();
    ben.welcome();
    const outcome = [ben.end, ben.alarms, ben.log.at(-1), ben.member.connection.name];
    vi.restoreAllMocks();
    expect(outcome).toEqual([undefined, [], "Grüße, \u{a7f1}am", "connected"]);
  });

  it("[J1] [J3] a transcript is checked all the same", () => {
    const world = new World();
    const guest = world.pair("Zoë");
    guest.member.say({ text: "Ｇｒüße" }, world.now);
    world.settle();
    expect(texts(world.hostEntries)).toEqual(["Ｇｒüße"]);
    const json = toJson(transcriptOf(world, guest));
    withOtherTables();
    const verdict = verifyTranscript(nodePrimitives, parseTranscript(json));
    vi.restoreAllMocks();
    expect(verdict.ok).toBe(true);
  });
});
