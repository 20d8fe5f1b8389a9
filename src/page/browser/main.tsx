import { effect } from "@preact/signals";
import { render } from "preact";
import { toggleHold, togglePause } from "./act.ts";
import { Asks } from "./asks.tsx";
import { Dialogs } from "./dialogs.tsx";
import { enter, listen, type Locked } from "./link.ts";
import { Log } from "./log.tsx";
import { Side } from "./side.tsx";
import { dialog, hear, lastLine, now, observing, shownTunnel, stands, world } from "./store.ts";
import { Alarms, LastWord, Top } from "./top.tsx";
import { goal } from "./words.ts";

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
        In a terminal of your own, type <code>tunnel-mcp page</code>; where it runs already, press Enter
        there. Somebody who only reads along types <code>tunnel-mcp observe</code>.
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
      <p>
        It gives you an invite to send to the other human. As soon as the tunnel is there, you see it here:
        what the agents say to each other, what waits for your decision, and the buttons that stop everything.
      </p>
    </main>
  );
}

function Page() {
  const { line, why } = stands.value;
  if (line === "locked") return <Closed why={why ?? "other"} />;
  if (line === "opening") return <p class="wait">Opening…</p>;
  const tunnel = shownTunnel();
  return (
    <div class={tunnel === undefined ? "page bare" : "page"}>
      <Top tunnel={tunnel} />
      <Alarms />
      {tunnel === undefined ? <Empty /> : <Side tunnel={tunnel} />}
      {tunnel === undefined ? null : <Log key={tunnel.key} tunnel={tunnel} />}
      {observing.value || (tunnel === undefined && world.value.asks.length === 0) ? null : <Asks />}
      <LastWord />
      <Dialogs tunnel={tunnel} />
    </div>
  );
}

/** Keys outside of text fields. None of them says yes to anything. */
function key(event: KeyboardEvent): void {
  if (
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    event.isComposing ||
    event.repeat ||
    dialog.value !== undefined
  )
    return;
  const at = event.target;
  if (at instanceof HTMLElement && at.closest("input, textarea, select, [contenteditable]") !== null) {
    if (event.key === "Escape") at.blur();
    return;
  }
  const tunnel = shownTunnel();
  const open = tunnel?.view.ended === undefined ? tunnel : undefined;
  if (observing.value && !["l", "?"].includes(event.key.toLowerCase())) return;
  switch (event.key.toLowerCase()) {
    case "h":
      return void (open !== undefined && toggleHold(open, "out"));
    case "i":
      return void (open !== undefined && toggleHold(open, "in"));
    case "p":
      return void (open !== undefined && togglePause(open));
    case "e":
      if (open !== undefined) dialog.value = { name: "end" };
      return;
    case "a":
      return focus("#asks", event);
    case "s":
      return focus("#composer", event);
    case "l":
      return focus(".log", event);
    case "?":
      dialog.value = { name: "help" };
  }
}

function focus(selector: string, event: KeyboardEvent): void {
  event.preventDefault();
  document.querySelector<HTMLElement>(selector)?.focus();
}

/** How many wait, where it is seen from another tab as well. */
function attend(): void {
  const count = world.value.asks.length;
  const tunnel = shownTunnel();
  const what = tunnel === undefined ? "tunnel-mcp" : `${goal(tunnel.view.goal).slice(0, 60)} · tunnel-mcp`;
  document.title = count === 0 ? what : `(${count}) ${what}`;
  const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const wanted = count === 0 ? "/icon.svg" : "/icon-waiting.svg";
  if (icon !== null && icon.getAttribute("href") !== wanted) icon.href = wanted;
}

async function start(): Promise<void> {
  const root = document.querySelector("#page");
  if (root === null) return;
  root.replaceChildren();
  render(<Page />, root);
  effect(attend);
  document.addEventListener("keydown", key);
  setInterval(() => (now.value = Date.now()), 1_000);
  const why = await enter().catch((): Locked => "other");
  if (why !== undefined) return void (stands.value = { line: "locked", why, since: Date.now() });
  await listen({
    lines: hear,
    last: lastLine,
    stands: (line, because) => {
      if (stands.value.line !== line) stands.value = { line, why: because, since: Date.now() };
    },
  });
}

void start();
