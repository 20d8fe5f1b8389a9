import * as fc from "fast-check";
import type { HiddenKind } from "../../src/protocol/base/hidden-text.ts";

/** Text that nobody may take anything out of. */
export const HONEST: readonly [what: string, text: string][] = [
  ["English with typography", "“Naïve” café – it’s £5 … 100 % ½ © ® ™"],
  ["German, Polish, Vietnamese", "Größe Łódź Tiếng Việt e\u0301"],
  ["Russian, Greek, Georgian, Armenian", "Привет Γειά σου გამარჯობა Բարեւ"],
  ["Hebrew", "שלום עולם, בְּרֵאשִׁית"],
  ["Hebrew with a grapheme joiner between points", "ירושל\u05b7\u034f\u05b4ם"],
  ["Arabic with numbers and vowels", "مرحبا بالعالم، سنة ٢٠٢٦ ۝ \u0600\u0661 السَّلَامُ"],
  ["Persian with non-joiners", "می\u200cخواهم کتاب\u200cها را نمی\u200cبینم"],
  ["an Arabic abbreviation with a joiner", "ه\u200d ١٤٤٧"],
  ["Urdu and Kurdish", "پاکستان کوردستان ئە\u200cم"],
  ["Hindi with joiners", "क्\u200dष क्\u200cष र्\u200dय नमस्ते"],
  ["Bengali with ra and ya", "র\u200d্যাব"],
  ["Malayalam with an old chillu", "അവന്\u200d"],
  ["Sinhala", "ශ්\u200dරී ලංකාව"],
  ["Tamil, Telugu, Kannada", "தமிழ் తెలుగు ಕನ್ನಡ ರ\u200d್ಕ"],
  ["Khmer with spaces of no width", "ភាសា\u200bខ្មែរ\u200bល្អ"],
  ["Thai and Lao with spaces of no width", "ภาษา\u200bไทย ພາສາ\u200bລາວ"],
  ["Burmese", "မြန်မာ\u200bဘာသာ"],
  ["Tibetan", "བོད་སྐད་"],
  ["Mongolian with a vowel separator and a variant", "ᠮᠣᠩᠭᠣᠯ ᠠᠮ\u180eᠠ ᠭ\u180bᠠ"],
  ["Syriac, N'Ko and Adlam", "ܫܠܡܐ ߒߞߏ 𞤀𞤣𞤤𞤢𞤥"],
  ["Chinese, Japanese, Korean", "你好，世界。こんにちは　안녕하세요 ｶﾀｶﾅ"],
  ["an ideograph with a registered variant", "葛\u{e0100}飾区 辻\u{e0101} 邊\u{e011f}"],
  ["an ideograph with a standardized variant", "芦\ufe00 、\ufe01"],
  ["a mathematical variant", "A ∩\ufe00 B"],
  ["old Korean", "\u115fᅡ ᄀ\u1160ᆨ 나랏말싸미"],
  ["hieroglyphs with a joiner", "\u{13000}\u{13430}\u{13001}"],
  ["a family and professions", "👨\u200d👩\u200d👧\u200d👦 👩🏽\u200d🚀 🧑\u200d⚕\ufe0f"],
  ["hearts and kisses", "👩\u200d❤\ufe0f\u200d💋\u200d👨 ❤\ufe0f\u200d🔥"],
  ["flags with joiners", "🏳\ufe0f\u200d🌈 🏳\ufe0f\u200d⚧\ufe0f 🏴\u200d☠\ufe0f"],
  ["birds and chains", "🐦\u200d⬛ ⛓\ufe0f\u200d💥 👁\ufe0f\u200d🗨\ufe0f 🏃\u200d♀\ufe0f\u200d➡\ufe0f"],
  [
    "the flags of England, Scotland and Wales",
    "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} 🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
  ],
  ["flags of countries", "🇩🇪🇮🇷🇮🇱🇮🇳"],
  ["keycaps", "1\ufe0f\u20e3 #\ufe0f\u20e3 *\ufe0f\u20e3 5\u20e3"],
  ["emoji and text style", "✌\ufe0f ☎\ufe0e ©\ufe0f ℹ\ufe0f ㊗\ufe0f 〰\ufe0f"],
  ["code", "const a = `x\t${b}`;\n\n  // 日本語 → ok"],
  ["braille and box drawing", "⠓⠑⠇⠇⠕ ┌─┐ ▒▒ ◇"],
];

const tags = (text: string): string =>
  Array.from(text, (letter) => String.fromCodePoint(0xe0000 + (letter.codePointAt(0) ?? 0))).join("");

/** Every way to hide of which somebody has written, and what is left of each. */
export const HIDDEN: readonly [what: string, kind: HiddenKind, text: string, shown: string, count: number][] =
  [
    ["words in tags", "tag", `ok${tags("rm -rf")}!`, "ok!", 6],
    ["words in tags behind a black flag", "tag", `🏴${tags("run it")}\u{e007f}`, "🏴", 7],
    ["a flag of nowhere", "tag", `🏴${tags("ustx")}\u{e007f}`, "🏴", 5],
    ["a flag without an end", "tag", `🏴${tags("gbeng")}`, "🏴", 5],
    [
      "tags behind a flag",
      "tag",
      `🏴${tags("gbsct")}\u{e007f}${tags("hi")}`,
      `🏴${tags("gbsct")}\u{e007f}`,
      2,
    ],
    ["a language tag", "tag", "\u{e0001}x", "x", 1],
    ["overrides", "direction", "pay \u202e00.1\u202c now", "pay 00.1 now", 2],
    ["isolates", "direction", "\u2066a\u2067b\u2068c\u2069", "abc", 4],
    ["marks of direction", "direction", "a\u200eb\u200fc\u061cd", "abcd", 3],
    ["separators of lines and paragraphs", "separator", "a\u2028b\u2029c", "a\nb\nc", 2],
    ["bytes in selectors behind an emoji", "selector", "😀\ufe00\u{e0148}\u{e0165}\ufe0f", "😀", 4],
    ["selectors behind letters", "selector", "a\ufe0fb\ufe0e", "ab", 2],
    ["selectors behind digits without a keycap", "selector", "1\ufe0f2\ufe0f", "12", 2],
    ["a selector that no ideograph has", "selector", "葛\u{e01ef}", "葛", 1],
    ["two selectors behind an ideograph", "selector", "葛\u{e0100}\u{e0101}", "葛", 2],
    ["a selector for emoji behind an ideograph", "selector", "漢\ufe0f", "漢", 1],
    ["a Mongolian selector elsewhere", "selector", "a\u180b", "a", 1],
    ["bits of no width between letters", "zeroWidth", "y\u200be\u200cs\u200d\u2060", "yes", 4],
    ["bits of no width in a row", "zeroWidth", "ok\u200b\u200c\u200b\u200b", "ok", 4],
    ["joiners in a row between Persian letters", "zeroWidth", "می\u200c\u200c\u200dخواهم", "میخواهم", 3],
    ["joiners in a row between emoji", "zeroWidth", "👩\u200d\u200d👧", "👩👧", 2],
    ["a joiner behind an emoji alone", "zeroWidth", "👩\u200d!", "👩!", 1],
    ["a byte order mark and soft hyphens", "zeroWidth", "\ufeffin\u00advis\u00adible", "invisible", 3],
    ["a grapheme joiner between letters", "zeroWidth", "a\u034fb", "ab", 1],
    ["a Mongolian separator elsewhere", "zeroWidth", "a\u180eb", "ab", 1],
    ["blank letters", "blank", "a\u3164b\uffa0c\u115f\u1160d\u17b4", "abcd", 5],
    ["invisible operators", "format", "f\u2061(x)\u2062y\u2063\u2064", "f(x)y", 4],
    ["deprecated format characters", "format", "a\u206a\u206fb\u2065", "ab", 3],
    ["annotations", "format", "\ufff9a\ufffab\ufffb", "ab", 3],
    ["format of music and shorthand", "format", "a\u{1d173}\u{1bca0}", "a", 2],
    ["code points that would show nothing", "format", "a\u{e0080}\u{e01f0}\u{e0fff}", "a", 3],
    ["format of hieroglyphs elsewhere", "hieroglyph", "a\u{13430}\u{13431}", "a", 2],
    ["private use", "privateUse", "a\ue000\uf8ff\u{f0000}\u{10fffd}", "a", 4],
    ["characters that are none", "noCharacter", "a\ufdd0\uffff\u{1fffe}\u{10ffff}\ud800", "a", 5],
    ["escapes of a terminal", "control", "\u001b[31mred\u009b0m\u0007", "[31mred0m", 3],
  ];

/** Pieces of text in which something may hide, in any order. */
export const hiddenWords = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...Array.from(
          "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u061c\u200e\u200f\u202e\u2066\u2028\u3164\u115f\u1160\ufe0f\ufe0e\ufe00\u180b\u180e\ue000",
        ),
        ...Array.from("👩❤🏴1#aکमកไᠠ漢∩각ש\n \u20e3"),
        ...Array.from(
          "\u{e0100}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e007f}\u{13000}\u{13430}\u{fdd0}\ud800",
        ),
      ),
      fc.constantFrom(...HIDDEN.map(([, , text]) => text), ...HONEST.map(([, text]) => text)),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""));

const FLAG =
  "(?<!🏴\u{e0067}?\u{e0062}?(?:\u{e0065}?\u{e006e}?\u{e0067}?|\u{e0073}?\u{e0063}?\u{e0074}?|\u{e0077}?\u{e006c}?\u{e0073}?))";

/** A second reading of the rule, which lets less through than it: nothing of this is in any text that is shown. */
export const stillHidden = new RegExp(
  [
    // Tags, but in a flag.
    `${FLAG}[\u{e0000}-\u{e007f}]`,
    "[\\p{Zl}\\p{Zp}\\p{Co}\\p{Noncharacter_Code_Point}\\p{Cs}]",
    "(?![\\n\\t])\\p{Cc}",
    "[\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufeff\\u00ad\\u3164\\uffa0\\ufff9-\\ufffb]",
    // Anything without a width in a row, or without a visible base before it.
    "[\\u200b-\\u200d\\u034f\\u180b-\\u180f\\ufe00-\\ufe0e\\u{e0100}-\\u{e01ef}]{2,}",
    "[\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}]{2,}",
    "(?:^|[\\x00-\\x7f])[\\u200b-\\u200d\\u034f\\u{e0100}-\\u{e01ef}\\u180b-\\u180f]",
    "(?:^|[a-zA-Z\\s])[\\ufe00-\\ufe0f]",
    // Selectors of the supplement, but behind an ideograph.
    "(?<!\\p{Ideographic})[\\u{e0100}-\\u{e01ef}]",
  ].join("|"),
  "u",
);
