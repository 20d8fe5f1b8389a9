/**
 * What the page of a person costs, and how fast it is, in Debian's Chromium over two servers on loopback:
 *
 *   - an exchange both ways (exchange.mjs) in a room with an open page, in turn with a room that nobody has ever looked at;
 *   - the same in a room whose page has been closed again, which is how most rooms are;
 *   - what one more message takes of the page's thread, with script, style and layout, where the log has 5,000 entries, in turn with
 *     a log of few;
 *   - the first paint of a page that is loaded, and the time until the last entry is seen.
 *
 *   node bench/page.mjs [--pairs 30] [--loads 20] [--appends 200] [--entries 5000]
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";
import { exchangeBothWays } from "./exchange.mjs";
import { interval, intervalText, isAtMost, LEAST_PAIRS, measurePairs, spread } from "./pairs.mjs";
import {
  connect,
  counts,
  isMain,
  print,
  sleep,
  summary,
  withFolder,
  withPrograms,
  withSides,
} from "./support.mjs";

const TARGETS = { open: 1.15, closed: 1.05, appendMs: 16, paintMs: 150 };
const WARM_UP = 10;
const IN_A_RUN = 10;
const LISTEN = { timeoutMs: 5_000 };
const FEW = 20;
/** A page that was closed lets its servers go after this. */
const ASLEEP_MS = 22_000;
const BROWSERS = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

export async function measurePage(programs, { pairs, loads, appends, entries }) {
  return withFolder(tmpdir(), async (folder) => {
    const ends = [];
    const scene = { programs, folder, ends };
    try {
      const browser = await launch();
      ends.push(() => browser.close());
      const exchange = await measureExchanges({ ...scene, browser }, pairs);
      const log = await measureLog({ ...scene, browser }, { loads, appends, entries });
      return { exchange, ...log };
    } finally {
      for (const end of ends.reverse()) await end();
    }
  });
}

async function launch() {
  const executablePath = BROWSERS.find((file) => file !== undefined && existsSync(file));
  if (executablePath === undefined) throw new Error("there is no Chromium; CHROMIUM names one");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** Two servers, each of a user of its own: the page of one sees only that one. */
async function room({ programs, folder, ends }, name) {
  const places = ["host", "guest"].map((side) => path.join(folder, `${name}-${side}`));
  for (const place of places) await mkdir(place);
  const [host, guest] = await Promise.all(
    places.map((place) => connect(programs.server, { env: { TMPDIR: place, XDG_RUNTIME_DIR: "" } })),
  );
  ends.push(host.close, guest.close);
  const { joinLink } = await host.call("tunnel_open", { goal: `measure ${name}` });
  await guest.call("tunnel_join", { joinLink });
  // Who joined is news, too: read it, so that a listen returns the message it is meant for.
  await host.call("tunnel_listen", LISTEN);
  const watched = path.join(places[0], `tunnel-mcp-${process.getuid?.() ?? "user"}`);
  return { host, guest, goal: `measure ${name}`, watched };
}

/** A tab over the servers of a room, in which it is shown. */
async function open({ programs, browser }, side, { watched, goal }) {
  const assets = path.join(path.dirname(programs.server), "page.br");
  const url = await side.call("open", { folders: [watched], version, assets });
  const page = await browser.newPage();
  await page.goto(url);
  await page.getByRole("heading", { level: 1, name: goal }).waitFor();
  return page;
}

async function measureExchanges(scene, pairs) {
  const [seen, bare, left] = [
    await room(scene, "seen"),
    await room(scene, "bare"),
    await room(scene, "left"),
  ];
  const { page: program } = scene.programs;
  return withSides([program, program], async (side, other) => {
    const gone = await open(scene, other, left);
    await gone.close();
    await other.call("close");
    await open(scene, side, seen);
    await sleep(ASLEEP_MS);
    const run = (one) => () => msOf(one.host, one.guest);
    const first = await measurePairs({ measured: run(seen), floor: run(bare), pairs, warmUp: WARM_UP });
    const second = await measurePairs({ measured: run(left), floor: run(bare), pairs, warmUp: WARM_UP });
    return {
      open: compared(first, TARGETS.open),
      closed: compared(second, TARGETS.closed),
    };
  });
}

function compared({ measured, floor, ratio }, target) {
  const baseline = { what: "a room that nobody has looked at", ...floor };
  return { unit: "ms", measured, baseline, ratio, target, met: isAtMost(ratio, target) };
}

/** What one exchange of a run takes. */
async function msOf(host, guest) {
  const began = performance.now();
  for (let index = 0; index < IN_A_RUN; index += 1) await exchangeBothWays(host, guest);
  return (performance.now() - began) / IN_A_RUN;
}

async function measureLog(scene, { loads, appends, entries }) {
  const [long, short] = [await room(scene, "long"), await room(scene, "short")];
  const { page: program } = scene.programs;
  return withSides([program, program], async (side, other) => {
    // A page that was there from the beginning has been told every entry.
    const pages = [await open(scene, side, long), await open(scene, other, short)];
    await say(long, entries);
    await say(short, FEW);
    const metered = await Promise.all(pages.map((page) => meter(page)));
    const found = { long: [], short: [] };
    for (let index = 0; index < appends; index += 1) {
      const steps = [
        ["long", long, metered[0]],
        ["short", short, metered[1]],
      ];
      if (index % 2 !== 0) steps.reverse();
      for (const [name, one, append] of steps) {
        const text = `appended ${index} of ${appends}: \`GET /orders\` returns an **object** with a cursor.`;
        found[name].push(await append(`appended ${index} of `, () => one.host.call("tunnel_say", { text })));
        await one.guest.call("tunnel_listen", LISTEN);
      }
    }
    const { measured, baseline } = { measured: summary(found.long), baseline: summary(found.short) };
    return {
      append: {
        unit: "ms",
        entries,
        measured,
        baseline: { what: `a log of ${FEW}`, ...baseline },
        target: TARGETS.appendMs,
        met: measured.p95 <= TARGETS.appendMs,
      },
      paint: await measurePaint(scene, side, long, loads),
    };
  });
}

async function say({ host, guest }, count) {
  for (let index = 1; index <= count; index += 1) {
    const text = `entry ${index}: the handler is in \`api/orders.ts\`; run its **tests** with npm test.`;
    await host.call("tunnel_say", { text });
    if (index % 20 === 0 || index === count) {
      for (let told = 0; told < 20;) {
        const { messages, more } = await guest.call("tunnel_listen", LISTEN);
        told += messages.length;
        if (more !== true) break;
      }
    }
  }
}

/** @returns what a message takes of the page's thread, in ms, from its coming until it is drawn */
async function meter(page) {
  const debug = await page.context().newCDPSession(page);
  await debug.send("Performance.enable");
  const busy = async () => {
    const { metrics } = await debug.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration").value * 1_000;
  };
  return async (words, act) => {
    const drawn = page.evaluate(
      (wanted) =>
        new Promise((resolve) => {
          const list = document.querySelector(".entries");
          const observer = new MutationObserver(() => {
            if (list.lastElementChild?.textContent.includes(wanted) !== true) return;
            observer.disconnect();
            requestAnimationFrame(() => setTimeout(resolve, 0));
          });
          observer.observe(list, { childList: true });
        }),
      words,
    );
    const before = await busy();
    await act();
    await drawn;
    return (await busy()) - before;
  };
}

async function measurePaint(scene, side, long, loads) {
  const [paints, logs] = [[], []];
  for (let index = 0; index < loads + 2; index += 1) {
    const began = performance.now();
    const page = await open(scene, side, long);
    await page.locator(".entries > li").last().waitFor();
    const seen = performance.now() - began;
    const paint = await page.evaluate(
      () => performance.getEntriesByName("first-contentful-paint")[0].startTime,
    );
    await page.evaluate(() =>
      fetch("/leave", {
        method: "POST",
        body: "{}",
        headers: {
          "Content-Type": "application/json",
          Authorization: `Bearer ${sessionStorage.getItem("token")}`,
        },
      }),
    );
    await page.close();
    if (index < 2) continue;
    paints.push(paint);
    logs.push(seen);
  }
  const within = interval(paints);
  return {
    unit: "ms",
    measured: spread(paints),
    baseline: { what: "from the address until the last of the entries is seen", ...spread(logs) },
    interval: within,
    target: TARGETS.paintMs,
    met: isAtMost(within, TARGETS.paintMs),
  };
}

/** Rows of the table that run.mjs prints. */
export function pageRows({ exchange, append, paint }) {
  const ms = ({ measured, baseline }) =>
    [measured.median, measured.min, baseline.median].map((value) => `${value} ms`);
  const ofRatio = (title, one) => [
    title,
    ...ms(one),
    `x ${intervalText(one.ratio)}`,
    `x ${one.target}`,
    said(one),
  ];
  return [
    ofRatio("exchange with an open page", exchange.open),
    ofRatio("exchange after its end", exchange.closed),
    [
      `append to ${append.entries} entries, p95`,
      `${append.measured.median} ms`,
      `${append.measured.min} ms`,
      `${append.baseline.p95} ms`,
      `${append.measured.p95} ms`,
      `${append.target} ms`,
      said(append),
    ],
    ["first paint", ...ms(paint), `${intervalText(paint.interval)} ms`, `${paint.target} ms`, said(paint)],
  ];
}

const said = ({ met }) => (met ? "met" : "MISSED");

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS, loads: 20, appends: 200, entries: 5_000 });
  print(await withPrograms((programs) => measurePage(programs, options)));
}
