import { Chance } from "../../support/random.ts";
import type { Line } from "./conversations.ts";

/** Ordinary days that look like loops at a glance: few words, other scripts, dumps, three at once. */

const MODULES = ["cart", "price", "login", "mail", "index", "cache", "queue", "date", "order", "user"];

/** A comment on each part of a change, in sentences, with the line it is about; some are answered at length. */
export function review(seed: number, comments = 120): Line[] {
  const chance = new Chance(seed);
  const remarks = [
    "this returns early without closing the handle, and the caller has no way to notice that",
    "the name says what it was, and no longer what it is",
    "two callers pass null here, so the check has to stay",
    "I would move this into the module that owns the table",
    "that is the third copy of this loop; is there a helper already?",
    "the error is swallowed; at least its code should be in the log",
  ];
  const answers = [
    "You are right, changed.",
    "Done as you say.",
    "I would rather leave it: the other branch depends on it.",
    "Good catch, and a test was missing as well.",
  ];
  return Array.from({ length: comments }, (): Line[] => {
    const part = chance.pick(MODULES);
    const line = 1 + chance.below(900);
    const code = Array.from(
      { length: 3 + chance.below(40) },
      () => `  const ${part}${chance.below(1_000)} = read(${chance.below(50)}, "${chance.pick(MODULES)}");`,
    ).join("\n");
    return [
      ["a", `src/${part}.ts:${line}: ${chance.pick(remarks)}.\n\`\`\`ts\n${code}\n\`\`\``],
      ["b", chance.pick(answers)],
    ];
  }).flat();
}

/** Work on a list in Japanese, which has no spaces. */
export function japanese(seed: number, rounds = 200): Line[] {
  const chance = new Chance(seed);
  const things = ["注文", "価格", "利用者", "在庫", "請求書", "通知", "検索", "設定", "履歴", "権限"];
  const works = ["の検証を直しました", "の試験を追加しました", "の型を変更しました", "の処理を分けました"];
  const asks = ["を確認してください", "を見てもらえますか", "の結果を教えてください"];
  return Array.from({ length: rounds }, (_, at): Line[] => [
    [
      "a",
      `${chance.pick(things)}${chance.pick(works)}。次は${chance.pick(things)}${at + 1}番${chance.pick(asks)}。`,
    ],
    ["b", chance.pick(["はい、確認しました。", "問題ありません。", "大丈夫です。", "直っています。"])],
  ]).flat();
}

/** The same in Russian, with names of files. */
export function russian(seed: number, rounds = 200): Line[] {
  const chance = new Chance(seed);
  const works = ["Исправил проверку в", "Добавил тест для", "Переименовал поле в", "Посмотри, пожалуйста,"];
  const answers = ["Готово.", "Да, всё верно.", "Нет, падает.", "Принято.", "Хорошо."];
  return Array.from({ length: rounds }, (): Line[] => [
    ["a", `${chance.pick(works)} модуле ${chance.pick(MODULES)} (строка ${1 + chance.below(2_000)}).`],
    ["b", chance.pick(answers)],
  ]).flat();
}

/** Records of a table, one message each. */
export function dumps(seed: number, rounds = 150): Line[] {
  const chance = new Chance(seed);
  return Array.from({ length: rounds }, (_, at): Line[] => [
    [
      "a",
      JSON.stringify({
        id: at,
        name: chance.pick(MODULES),
        status: chance.pick(["ok", "failed", "skipped"]),
        millis: chance.below(10_000),
        rows: Array.from({ length: chance.below(30) }, () => chance.below(100)),
      }),
    ],
    ["b", "next"],
  ]).flat();
}

/** Counting, as a test of the line does it. */
export function counters(rounds = 300): Line[] {
  return Array.from({ length: rounds }, (_, at): Line => [at % 2 === 0 ? "a" : "b", `ping ${at}`]);
}

/** One hands out work to two others, who report. */
export function threeAgents(seed: number, rounds = 150): Line[] {
  const chance = new Chance(seed);
  return Array.from({ length: rounds }, (_, at): Line[] => {
    const worker = at % 2 === 0 ? "b" : "c";
    const path = `src/${chance.pick(MODULES)}/${chance.pick(MODULES)}${chance.below(300)}.ts`;
    return [
      ["a", `${worker}, please take ${path}.`],
      [worker, "Taken."],
      [worker, `${path}: ${chance.below(40)} changes, ${chance.pick(["all tests pass", "one test fails"])}.`],
      ["a", "Thanks."],
    ];
  }).flat();
}

/** A build that fails again and again, each time in another way, until it passes. */
export function fixing(seed: number, rounds = 60): Line[] {
  const chance = new Chance(seed);
  return Array.from({ length: rounds }, (): Line[] => [
    [
      "a",
      `Still failing: ${chance.pick(MODULES)}.test.ts:${chance.below(500)} expected ${chance.below(99)}.`,
    ],
    ["b", "Try again."],
  ]).flat();
}

/** Loops, which no length and no choice of words may hide. */

export function retries(seed: number, rounds = 60): Line[] {
  const chance = new Chance(seed);
  const again = [
    "Try again.",
    "Please try again.",
    "Try it again now.",
    "Can you try again?",
    "Retry please.",
  ];
  const fails = [
    "Still failing.",
    "It still fails.",
    "Same error.",
    "No change, still failing.",
    "Failing still.",
  ];
  return Array.from({ length: rounds }, (): Line[] => [
    ["a", chance.pick(again)],
    ["b", chance.pick(fails)],
  ]).flat();
}

/** Each gives the other's question back. */
export function mirrors(seed: number, rounds = 60): Line[] {
  const chance = new Chance(seed);
  const questions = [
    "What would you like me to do next?",
    "How can I help you with this?",
    "Which part should I begin with?",
    "Is there anything else that you need from me?",
  ];
  return Array.from({ length: rounds }, (): Line[] => {
    const question = chance.pick(questions);
    return [
      ["a", question],
      ["b", `You asked: "${question}" ${question}`],
    ];
  }).flat();
}

/** Long thanks, put together anew each time. */
export function politeness(seed: number, rounds = 60): Line[] {
  const chance = new Chance(seed);
  const parts = [
    ["Thank you so much", "Many thanks", "I really appreciate it", "Thanks again", "That is very kind"],
    ["for your excellent work", "for the great collaboration", "for all your help", "for your patience"],
    ["it has been a pleasure", "I have enjoyed this a lot", "this went very well", "we make a good team"],
    [
      "and I look forward to more",
      "and please reach out any time",
      "and I wish you a great day",
      "and take care",
    ],
    [
      "Let me know if there is anything else",
      "I am here if you need me",
      "Feel free to ask",
      "Goodbye for now",
    ],
  ] as const;
  return Array.from({ length: rounds * 2 }, (_, at): Line => [
    at % 2 === 0 ? "a" : "b",
    `${parts.map((some) => chance.pick(some)).join(", ")}!`,
  ]);
}

/** The same in Japanese, where a whole sentence is one word. */
export function japanesePoliteness(seed: number, rounds = 60): Line[] {
  const chance = new Chance(seed);
  const parts = [
    ["ありがとうございます", "感謝いたします", "お疲れさまです"],
    ["助かりました", "大変嬉しいです", "素晴らしい作業でした"],
    ["また何かあればお知らせください", "いつでもご連絡ください", "今後ともよろしくお願いします"],
  ] as const;
  return Array.from({ length: rounds * 2 }, (_, at): Line => [
    at % 2 === 0 ? "a" : "b",
    `${parts.map((some) => chance.pick(some)).join("。")}。`,
  ]);
}
