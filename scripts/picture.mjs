/**
 * Draws docs/session.svg, the picture in README.md: two built servers pair, talk and hand a file over, each driven by an MCP
 * client, and what is shown of that is what the tools answered. Links and ids are left out and the safety code is
 * replaced, so that every run draws the same.
 *
 *   node scripts/picture.mjs            write, after a build
 *   node scripts/picture.mjs --check    compare only; exits 1 when it differs
 */
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startAgent } from "./picture-agent.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = path.join(root, "docs", "session.svg");

// --- the session ---

const GOAL = "Agree on the shape of GET /orders";
const QUESTION = "Does GET /orders return a bare array, or an object with a cursor? My client pages.";
const ANSWER = "An object with items and nextCursor. An example comes as a file.";
const FILE = { name: "orders.json", content: '{ "items": [{ "id": 7 }], "nextCursor": "c2" }\n' };
const NOTE = "What GET /orders answers.";
const SUMMARY = "GET /orders answers with a cursor.";
/** Alike on both sides. */
const ALIKE = { shop: "shop", client: { name: "tunnel-mcp-picture", version: "0" } };
/** In the form of a real one, which is another in every run. */
const CODE = "🦊 🐘 📎 … / blue deposit …";

/** What the steps rest on; a picture of something else must not come to be. */
function assert(holds, what) {
  if (!holds) throw new Error(`the session did not go as it is drawn: ${what}`);
}

/** Runs the session and returns the rows of the picture, from top to bottom. */
async function session({ ana, ben }) {
  const opened = await ana.call("tunnel_open", { goal: GOAL });
  const joined = await ben.call("tunnel_join", { joinLink: opened.joinLink });
  await ana.hear(({ event }) => event === "joined");
  const status = await ana.call("tunnel_status");
  assert(joined.safetyCode === status.safetyCode, "the safety codes differ");
  assert(/^(?:\S+ ){7}\/(?: [a-z]+){4}$/.test(joined.safetyCode), "the safety code has another form");

  await ana.call("tunnel_say", { text: QUESTION, intent: "request" });
  const question = await ben.hear(({ kind }) => kind === "chat");
  await ben.call("tunnel_say", { text: ANSWER, intent: "inform", replyTo: question.seq });
  const answer = await ana.hear(({ kind }) => kind === "chat");

  await writeFile(path.join(ben.cwd, FILE.name), FILE.content);
  const shared = await ben.call("tunnel_share", { path: FILE.name, note: NOTE });
  const offer = await ana.hear(({ kind }) => kind === "file");
  assert(offer.fileId === shared.fileId, "another file was offered");
  const { name, fromName, savePath } = offer;
  assert(savePath === path.join(await realpath(ana.cwd), FILE.name), "another place was proposed");
  const received = await ana.call("tunnel_receive", { fileId: offer.fileId, name, from: fromName, savePath });
  assert(received.sha256 === shared.sha256, "another file was received");
  const saved = await readFile(path.join(ana.cwd, FILE.name), "utf8");
  assert(saved === FILE.content, "another content was saved");

  const closed = await ana.call("tunnel_close", { summary: SUMMARY });
  const end = await ben.hear(({ event }) => event === "ended");

  const link = `joinLink: a secret, works once, for ${opened.joinLinkExpiresInSec} s`;
  const file = `${offer.name}, ${offer.size} bytes`;
  return [
    { left: block("tunnel_open", [`goal: ${GOAL}`], [opened.status, link]) },
    { between: "Ana sends Ben the invite, over a channel they trust  →" },
    {
      right: block(
        "tunnel_join",
        ["joinLink: from the invite"],
        [`${joined.status}; goal: ${joined.goal}`, `safetyCode: ${CODE}`],
      ),
      left: block(
        "tunnel_status",
        [],
        [`members: ${status.members.map(({ name }) => name).join(", ")}`, `safetyCode: ${CODE}`],
      ),
      arrow: "left",
    },
    { between: "The same code on both sides: nobody sits between them" },
    {
      left: block("tunnel_say", [`${question.intent}: ${QUESTION}`], []),
      right: block("tunnel_listen", [], [`${question.fromName}, ${question.intent}: ${question.text}`]),
      arrow: "right",
    },
    {
      right: block("tunnel_say", [`${answer.intent}: ${ANSWER}`], []),
      left: block("tunnel_listen", [], [`${answer.fromName}, ${answer.intent}: ${answer.text}`]),
      arrow: "left",
    },
    {
      right: block("tunnel_share", [`path: ${FILE.name}`, `note: ${NOTE}`], [hash(shared)]),
      left: block(
        "tunnel_listen",
        [],
        [`${offer.fromName}, ${offer.kind}: ${file}`, hash(offer), offer.text],
      ),
      arrow: "left",
    },
    {
      left: block(
        "tunnel_receive",
        [`name: ${FILE.name}`, `from: ${offer.fromName}`, `savePath: …/${FILE.name}`],
        [`${received.status}; ${hash(received)}`, `warning: ${received.warning}`],
      ),
    },
    {
      left: block("tunnel_close", [`summary: ${SUMMARY}`], [closed.status]),
      right: block("tunnel_listen", [], [end.text]),
      arrow: "right",
    },
  ];
}

function hash({ sha256 }) {
  return `sha256: ${sha256.slice(0, 12)}…`;
}

/** One call: its tool, what it was given and what it answered. */
function block(tool, given, answered) {
  const lines = [
    ...given.flatMap((text) => wrapped(text).map((line) => ({ style: "given", line }))),
    ...answered.flatMap((text) =>
      wrapped(text).map((line, index) => ({ style: "answer", line: `${index === 0 ? "→" : " "} ${line}` })),
    ),
  ];
  return { tool, lines };
}

// --- the picture ---

const WIDTH = 840;
const MARGIN = 12;
const COLUMN = 392;
const PADDING = 14;
const INDENT = 14;
const HEAD = 46;
const LINE = 18;
const GAP = 16;
const RIGHT = WIDTH - MARGIN - COLUMN;
/** In the widest of the fonts, at 13 pixels. */
const CHAR = 7.83;
const MAX_CHARS = Math.floor((COLUMN - 2 * PADDING - INDENT) / CHAR) - 2;
const STEP_SEC = 1.1;

/** Text in lines that fit into a column, broken at spaces. */
function wrapped(text) {
  const lines = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    assert(word.length <= MAX_CHARS, "a word is too long");
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= MAX_CHARS)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** What appears together, at its turn. */
function turn(number, parts) {
  return `<g class="turn" style="animation-delay:${(number * STEP_SEC).toFixed(1)}s">\n${parts.join("\n")}\n</g>`;
}

function blockParts({ tool, lines }, x, y, side) {
  const text = (style, dx, row, content) =>
    `<text class="${style}" x="${x + PADDING + dx}" y="${y + LINE * row}">${escaped(content)}</text>`;
  return [
    text(`tool ${side}`, 0, 0, tool),
    ...lines.map(({ style, line }, index) => {
      const indent = line.startsWith("  ") ? INDENT + 2 * CHAR : INDENT;
      return text(style, indent, index + 1, line.trimStart());
    }),
  ];
}

/** In the gutter, from the side that speaks to the one that hears. */
function arrowPart(direction, y) {
  const [from, to] = [MARGIN + COLUMN + 5, RIGHT - 5];
  const [tail, tip, back] = direction === "right" ? [from, to, to - 6] : [to, from, from + 6];
  return `<path class="arrow" d="M${tail} ${y}H${tip}M${back} ${y - 4}L${tip} ${y}L${back} ${y + 4}"/>`;
}

function pillParts(text, y) {
  const width = Math.ceil(text.length * 7) + 32;
  return [
    `<rect class="pill" x="${(WIDTH - width) / 2}" y="${y - 16}" width="${width}" height="26" rx="13"/>`,
    `<text class="between" x="${WIDTH / 2}" y="${y + 1}" text-anchor="middle">${escaped(text)}</text>`,
  ];
}

function draw(rows) {
  const parts = [];
  let y = HEAD + 30;
  let number = 0;
  const add = (...drawn) => {
    number += 1;
    parts.push(turn(number, drawn.flat()));
  };
  for (const { left, right, between, arrow } of rows) {
    if (between !== undefined) add(pillParts(between, y));
    const sides = [
      ["left", left, MARGIN],
      ["right", right, RIGHT],
    ].filter(([, one]) => one !== undefined);
    if (arrow === "left") sides.reverse();
    sides.forEach(([side, one, x], index) => {
      const lead = index === 1 ? [arrowPart(arrow, y - 4)] : [];
      add(lead, blockParts(one, x, y, side));
    });
    y += LINE * Math.max(1, ...sides.map(([, one]) => one.lines.length + 1)) + GAP;
  }
  const height = y - 8;
  const workContext = (x, side, who, role) => [
    `<rect class="card" x="${x}" y="${MARGIN}" width="${COLUMN}" height="${height - 2 * MARGIN}" rx="10"/>`,
    `<path class="rule" d="M${x} ${HEAD}H${x + COLUMN}"/>`,
    `<text class="who ${side}" x="${x + PADDING}" y="${MARGIN + 22}">${who}</text>`,
    `<text class="role" x="${x + COLUMN - PADDING}" y="${MARGIN + 22}" text-anchor="end">${role}</text>`,
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">`,
    "<!-- Generated by scripts/picture.mjs: do not edit, run `npm run picture`. -->",
    '<title id="title">A session of two coding agents over tunnel-mcp</title>',
    `<desc id="desc">${escaped(told(rows))}</desc>`,
    `<style>\n${STYLE}</style>`,
    ...workContext(MARGIN, "left", "Ana's agent", "tunnel-mcp, host"),
    ...workContext(RIGHT, "right", "Ben's agent", "tunnel-mcp, guest"),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

/** The same for somebody who cannot see it. */
function told(rows) {
  const words = ({ tool, lines }) =>
    [tool, ...lines.map(({ line }) => line.trim())].join(" ").replaceAll("→", "answers");
  return rows
    .flatMap(({ left, right, between, arrow }) => {
      if (between !== undefined) return [`${between.replace(/ *→$/, "")}.`];
      const said = [
        ["Ana's agent", left],
        ["Ben's agent", right],
      ].filter(([, one]) => one !== undefined);
      if (arrow === "left") said.reverse();
      return said.map(([who, one]) => `${who}: ${words(one).replace(/\.$/, "")}.`);
    })
    .join(" ");
}

/** Without animation everything is there from the beginning, as it stands at the end. */
const STYLE = `text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#1f2328}
.card{fill:#fff;stroke:#d1d9e0}
.rule{stroke:#d1d9e0}
.who,.between,.role{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
.who,.tool{font-weight:600}
.left{fill:#0969da}
.right{fill:#1a7f37}
.role,.answer{fill:#59636e}
.between{fill:#1f2328}
.pill{fill:#f6f8fa;stroke:#d1d9e0}
.arrow{fill:none;stroke:#59636e;stroke-width:1.5}
.turn{animation:appear .5s ease-out both}
@keyframes appear{from{opacity:0;transform:translateY(5px)}}
@media (prefers-reduced-motion:reduce){.turn{animation:none}}
@media (prefers-color-scheme:dark){
text,.between{fill:#f0f6fc}
.card{fill:#0d1117;stroke:#3d444d}
.rule{stroke:#3d444d}
.left{fill:#58a6ff}
.right{fill:#3fb950}
.role,.answer{fill:#9198a1}
.pill{fill:#212830;stroke:#3d444d}
.arrow{stroke:#9198a1}
}
`;

async function main() {
  const folder = await mkdtemp(path.join(tmpdir(), "tunnel-picture-"));
  const agents = {};
  try {
    agents.ana = await startAgent({ folder: path.join(folder, "ana"), name: "Ana", ...ALIKE });
    agents.ben = await startAgent({ folder: path.join(folder, "ben"), name: "Ben", ...ALIKE });
    const picture = draw(await session(agents));
    if (picture === (await readFile(target, "utf8").catch(() => "")))
      return console.log("docs/session.svg is up to date");
    if (process.argv.includes("--check")) {
      console.error("docs/session.svg is out of date. Run `npm run picture` and commit the result.");
      process.exitCode = 1;
    } else {
      await writeFile(target, picture);
      console.log("written: docs/session.svg");
    }
  } finally {
    await Promise.allSettled(Object.values(agents).map((agent) => agent.stop()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

await main();
