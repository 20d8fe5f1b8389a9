import { useEffect, useState } from "preact/hooks";
import type { NewCommand } from "../../watch/client.ts";
import { beginningOf } from "../text/plain.ts";
import { act, say } from "./act.ts";
import { keyOf, now, world, type Ask } from "./store.ts";
import { Raw } from "./text.tsx";
import { digest, goal, left, question } from "./words.ts";

/** An ask that came, or moved, just now takes no yes: the click may have been meant for something else. */
const INERT_MS = 500;
let focusedAt = Number.NEGATIVE_INFINITY;
// The click that brings this window to the front may not decide either.
window.addEventListener("focus", () => (focusedAt = performance.now()));

type Verdict = Extract<NewCommand, { do: "decide" }>["decision"];

/** Everything that waits for this person, the oldest first. A no is always possible; a yes needs the whole to have been there. */
export function Asks() {
  const { asks, tunnels } = world.value;
  const hasSeveral = [...tunnels.values()].filter(({ view }) => view.ended === undefined).length > 1;
  return (
    <aside id="asks" tabIndex={-1} aria-label="What waits for you">
      <h2>{asks.length === 0 ? "Waiting for you" : `Waiting for you · ${asks.length}`}</h2>
      {asks.length === 0 ? (
        <p class="calm">Nothing. Everything else flows, and you can stop it at any time.</p>
      ) : null}
      {asks.map((ask, place) => (
        <AskCard key={`${ask.key} ${ask.view.digest}`} ask={ask} place={place} hasSeveral={hasSeveral} />
      ))}
    </aside>
  );
}

function AskCard({
  ask,
  place,
  hasSeveral,
}: {
  readonly ask: Ask;
  readonly place: number;
  readonly hasSeveral: boolean;
}) {
  const { view, server } = ask;
  const [isInert, setInert] = useState(true);
  const [isOpen, setOpen] = useState(false);
  const [words, setWords] = useState<"refuse" | "edit" | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    setInert(true);
    const timer = setTimeout(() => setInert(false), INERT_MS);
    return () => clearTimeout(timer);
  }, [place]);
  const { title, facts, text, yes } = question(view);
  const start = text === undefined ? undefined : beginningOf(text);
  const isWhole = start === undefined || start.isWhole || isOpen;
  const isSecret = view.gates.includes("secret");
  const decide = async (decision: Verdict, done: string): Promise<void> => {
    if (decision.verdict !== "refuse" && performance.now() - focusedAt < INERT_MS)
      return say("This window came to the front only now. Press again, if you mean it.");
    setBusy(true);
    await act(server, { do: "decide", ask: view.ask, digest: view.digest, decision }, done);
    setBusy(false);
  };
  const room = world.value.tunnels.get(keyOf(server, view.tunnelId));
  const expires = (Date.parse(view.expiresAt) - now.value) / 1_000;
  const canSay = !isBusy && !isInert && isWhole;
  const approve = (
    <button
      type="button"
      class={isSecret ? "btn" : "btn main"}
      disabled={!canSay}
      onClick={() => void decide({ verdict: "approve" }, "Done.")}
    >
      {yes}
    </button>
  );
  return (
    <section class={isSecret ? "ask secret" : "ask"} aria-labelledby={`ask-${ask.key}`}>
      <p class="why">
        {reason(view.gates)}
        {hasSeveral && room !== undefined ? ` · ${goal(room.view.goal)}` : ""}
      </p>
      <h3 id={`ask-${ask.key}`}>{title}</h3>
      {text === undefined || start === undefined ? null : (
        <pre class="raw" dir="auto" tabIndex={0} aria-label="All of it, as it is written">
          <Raw text={isWhole ? text : start.text} />
        </pre>
      )}
      {isWhole || text === undefined || start === undefined ? null : (
        <button
          type="button"
          class="more"
          onClick={() => setOpen(true)}
        >{`Show all of it before you decide: ${start.lines} lines, ${text.length} characters`}</button>
      )}
      <ul class="facts">
        {facts.map((fact) => (
          <li>{fact}</li>
        ))}
      </ul>
      <p class="meta">{`Ask ${view.ask} · ${digest(view.digest)} · ${left(expires)} left, then nobody has decided`}</p>
      {words === undefined ? (
        <div class="row">
          {isSecret ? null : approve}
          <button
            type="button"
            class={isSecret ? "btn main" : "btn"}
            disabled={isBusy}
            onClick={() => void decide({ verdict: "refuse" }, "Refused.")}
          >
            Refuse
          </button>
          <button type="button" class="btn" disabled={isBusy} onClick={() => setWords("refuse")}>
            Refuse, because…
          </button>
          {view.subject.kind === "message" ? (
            <button type="button" class="btn" disabled={isBusy} onClick={() => setWords("edit")}>
              Edit and send…
            </button>
          ) : null}
          {isSecret ? approve : null}
        </div>
      ) : words === "refuse" ? (
        <Words
          label="Why not? Your agent is told this."
          start=""
          send="Refuse"
          isOk={!isBusy}
          cancel={() => setWords(undefined)}
          done={(reason) =>
            decide(reason.trim() === "" ? { verdict: "refuse" } : { verdict: "refuse", reason }, "Refused.")
          }
        />
      ) : (
        <Words
          label="Your words go instead, marked as a human's."
          start={text ?? ""}
          send="Send my words"
          isOk={canSay}
          cancel={() => setWords(undefined)}
          done={(edited) => decide({ verdict: "edit", text: edited }, "Sent in your words.")}
        />
      )}
    </section>
  );
}

function reason(gates: Ask["view"]["gates"]): string {
  const words = gates.map((gate) => GATE_WORDS[gate] ?? gate);
  return words.join(" · ");
}

const GATE_WORDS: Readonly<Record<string, string>> = {
  secret: "Looks like a secret",
  "sensitive-file": "A file that usually holds secrets",
  "outside-roots": "Outside your folders",
  "not-scanned": "Could not be searched for secrets",
  expose: "A public address",
  "offer-service": "A service for others",
  "visit-service": "First connection",
  "new-member": "A new member",
  observer: "An observer",
  budget: "Budget used up",
  "hold-out": "Held on its way out",
  "hold-in": "Held on its way in",
};

function Words({
  label,
  start,
  send,
  isOk,
  done,
  cancel,
}: {
  readonly label: string;
  readonly start: string;
  readonly send: string;
  readonly isOk: boolean;
  readonly done: (text: string) => Promise<void>;
  readonly cancel: () => void;
}) {
  const [text, setText] = useState(start);
  return (
    <div class="words">
      <label>
        {label}
        <textarea
          rows={Math.min(12, Math.max(2, start.split("\n").length))}
          value={text}
          dir="auto"
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              event.stopPropagation();
              cancel();
            }
          }}
        />
      </label>
      <div class="row">
        <button type="button" class="btn" disabled={!isOk} onClick={() => void done(text)}>
          {send}
        </button>
        <button type="button" class="btn" onClick={cancel}>
          Back
        </button>
      </div>
    </div>
  );
}
