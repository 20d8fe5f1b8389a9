import { effect } from "./signal.ts";
import { render } from "preact";
import { toggleHold, togglePause } from "./act.ts";
import { Asks } from "./asks.tsx";
import { attend } from "./attention.tsx";
import { Dialogs } from "./dialogs.tsx";
import { enter, listen, type Locked } from "./link.ts";
import { Log } from "./log.tsx";
import { Side } from "./side.tsx";
import {
  dialog,
  hear,
  lastLine,
  observing,
  shownPart,
  now,
  shownTunnel,
  stands,
  time,
  waiting,
  type Tunnel,
} from "./store.ts";
import { Alarms, LastWord, Top } from "./top.tsx";

const LOCKED: Readonly<Record<Locked, readonly [title: string, why: string]>> = {
  "no-address": ["This page needs its address", "Each address works once, in one tab."],
  "address-unknown": [
    "This address leads nowhere",
    "It belongs to a page that has ended, or was not copied as a whole.",
  ],
  "address-expired": ["This address is too old", "Each works for one minute."],
  "address-used-twice": [
    "This address was used before",
    "If you did not open it yourself, somebody else has seen it. What it had let in was shut out.",
  ],
  "page-locked": [
    "This page has ended",
    "Its program has, or its address was used a second time and everything of it was shut.",
  ],
  other: ["This page could not be opened", "Its program does not answer, or too many pages are open."],
};

function Closed({ why }: { readonly why: Locked }) {
  const [title, text] = LOCKED[why];
  return (
    <main class="empty">
      <h1>{title}</h1>
      <p>{text}</p>
      <p>
        In a terminal of your own, type <code>tunnel-mcp page</code>, or <code>tunnel-mcp observe</code> to
        read along; where it runs already, press Enter there.
      </p>
    </main>
  );
}

function Empty() {
  return (
    <main class="empty">
      <h1>No tunnel is open</h1>
      <p>Ask your agent, for example:</p>
      <blockquote>Open a tunnel, so that you and Ben’s agent can agree on the orders API.</blockquote>
      <p>It gives you an invite. Send that to the other human, who gives it to theirs.</p>
      <p>
        As soon as the tunnel is there, you see it here: what the agents say to each other, what waits for
        your decision, and the buttons that stop everything.
      </p>
    </main>
  );
}

function Page() {
  const { line, why } = stands.value;
  if (line === "locked") return <Closed why={why ?? "other"} />;
  if (line === "opening") return <p class="wait">Opening…</p>;
  const tunnel = shownTunnel();
  const count = waiting();
  const shown = shownPart.value ?? "said";
  return (
    <div class={`page show-${shown} ${tunnel === undefined ? "bare" : ""}`}>
      <Top tunnel={tunnel} shown={shown} />
      <Alarms />
      {tunnel === undefined ? <Empty /> : <Side tunnel={tunnel} />}
      {tunnel === undefined ? null : <Log key={tunnel.key} tunnel={tunnel} />}
      {observing.value || (tunnel === undefined && count === 0) ? null : <Asks />}
      <LastWord />
      <Dialogs tunnel={tunnel} />
    </div>
  );
}

function focus(part: "said" | "wait", selector: string): void {
  shownPart.value = part;
  document.querySelector<HTMLElement>(selector)?.focus();
}

/** Keys outside of text fields. None of them says yes to anything. */
const KEYS: Readonly<Record<string, (open: Tunnel | undefined) => void>> = {
  h: (open) => open !== undefined && void toggleHold(open, "out"),
  i: (open) => open !== undefined && void toggleHold(open, "in"),
  p: (open) => open !== undefined && void togglePause(open),
  e: (open) => open !== undefined && (dialog.value = { name: "end" }),
  a: () => focus("wait", "#asks"),
  s: () => focus("said", "#composer"),
  l: () => focus("said", ".log"),
  "?": () => (dialog.value = { name: "help" }),
};

/** Those that change nothing. */
const READING: ReadonlySet<string> = new Set(["l", "?"]);

function key(event: KeyboardEvent): void {
  const isMore = event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat;
  if (isMore || dialog.value !== undefined) return;
  const at = event.target;
  if (at instanceof HTMLElement && at.closest("input, textarea, select") !== null) {
    if (event.key === "Escape") at.blur();
    return;
  }
  const letter = event.key.toLowerCase();
  const act = KEYS[letter];
  if (act === undefined || (observing.value && !READING.has(letter))) return;
  // The letter is for this, and not for the field that gets the focus.
  event.preventDefault();
  const tunnel = shownTunnel();
  act(tunnel?.view.over === undefined ? tunnel : undefined);
}

async function start(): Promise<void> {
  const root = document.querySelector("#page");
  if (root === null) return;
  root.replaceChildren();
  effect(() => render(<Page />, root));
  attend();
  document.addEventListener("keydown", key);
  setInterval(() => (now.value = time()), 1_000);
  const why = await enter().catch((): Locked => "other");
  if (why !== undefined) return void (stands.value = { line: "locked", why, since: time() });
  await listen({
    lines: hear,
    last: lastLine,
    stands: (line, because) => {
      if (stands.value.line !== line) stands.value = { line, why: because, since: time() };
    },
  });
}

void start();
