import { useState } from "preact/hooks";
import type { NewCommand } from "../../watch/client.ts";
import { unmarked } from "../text/marks.ts";
import { beginningOf } from "../text/plain.ts";
import { act, look } from "./act.ts";
import { Attention } from "./attention.tsx";
import { isJustInFront, JUST_IN_FRONT, useInert } from "./deciding/inert.ts";
import { SignOff } from "./deciding/signing.tsx";
import { Words } from "./deciding/words-field.tsx";
import { labelOf, now, roomOf, waiting, world, type Ask } from "./store.ts";
import { Raw } from "./text.tsx";
import { say } from "./word.ts";
import { digest, left } from "./words.ts";

type Verdict = Extract<NewCommand, { do: "decide" }>["decision"];

/** Everything that waits for this person, the oldest first. A no is always possible; a yes needs the whole to have been there. */
export function Asks() {
  const { asks, tunnels } = world.value;
  const open = [...tunnels.values()].filter(({ view }) => view.over === undefined);
  const hasSeveral = open.length > 1;
  const count = waiting();
  return (
    <aside id="asks" tabIndex={-1} aria-label="What waits for you">
      <h2>
        Waiting for you
        {count === 0 ? null : <b class="count">{count}</b>}
      </h2>
      {count === 0 ? (
        <p class="calm">Nothing. Everything else flows, and you can stop it at any time.</p>
      ) : null}
      {asks.map((ask, place) => (
        <AskCard key={`${ask.key} ${ask.view.digest}`} ask={ask} place={place} hasSeveral={hasSeveral} />
      ))}
      {open.map((tunnel) => (
        <SignOff key={tunnel.key} tunnel={tunnel} goal={hasSeveral ? labelOf(tunnel) : undefined} />
      ))}
      <Attention />
    </aside>
  );
}

interface CardProps {
  readonly ask: Ask;
  readonly place: number;
  readonly hasSeveral: boolean;
}

function AskCard({ ask, place, hasSeveral }: CardProps) {
  const { view, server } = ask;
  const { title, facts, text, isRisky } = view;
  const isInert = useInert(place);
  const [isOpen, setOpen] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const start = beginningOf(text ?? "");
  const isWhole = start.isWhole || isOpen;
  const decide = async (decision: Verdict, done: string): Promise<void> => {
    if (decision.verdict !== "refuse" && isJustInFront()) return say(JUST_IN_FRONT);
    setBusy(true);
    await act(server, { do: "decide", ask: view.ask, digest: view.digest, decision }, done);
    setBusy(false);
  };
  const room = hasSeveral ? roomOf(ask) : undefined;
  const { look: command } = view;
  return (
    <section class={isRisky ? "ask risky" : "ask"} aria-labelledby={`ask-${ask.key}`}>
      <p class="why">
        {view.why}
        {room === undefined ? "" : ` · ${labelOf(room)}`}
      </p>
      <h3 id={`ask-${ask.key}`}>{title}</h3>
      {text === undefined ? null : (
        <pre class="raw" dir="auto" tabIndex={0} aria-label="All of it, as it is written">
          <Raw text={isWhole ? text : start.text} />
        </pre>
      )}
      {isWhole || text === undefined ? null : (
        <button type="button" class="more" onClick={() => setOpen(true)}>
          {`Show all of it before you decide: ${start.lines} lines, ${text.length} characters`}
        </button>
      )}
      {facts.length === 0 ? null : (
        <ul class="facts">
          {facts.map((fact) => (
            <li>{fact}</li>
          ))}
        </ul>
      )}
      {command === undefined ? null : (
        <button type="button" class="more" onClick={() => look(server, title, command)}>
          Look into it
        </button>
      )}
      <Answers ask={ask} decide={decide} isBusy={isBusy} canSay={!isBusy && !isInert && isWhole} />
      <p class="meta">
        {`Ask ${view.ask} · digest ${digest(view.digest)} · expires in ${left(view.until - now.value)}`}
      </p>
    </section>
  );
}

interface AnswersProps {
  readonly ask: Ask;
  readonly decide: (decision: Verdict, done: string) => Promise<void>;
  readonly isBusy: boolean;
  readonly canSay: boolean;
}

/** The safe answer is the prominent one. */
function Answers({ ask, decide, isBusy, canSay }: AnswersProps) {
  const { text = "", isSecret, isRisky, isMessage, yes } = ask.view;
  const [words, setWords] = useState<"refuse" | "edit" | undefined>(undefined);
  const cancel = (): void => setWords(undefined);
  const refuse = (reason: string): Promise<void> =>
    decide(reason === "" ? { verdict: "refuse" } : { verdict: "refuse", reason }, "Refused.");
  const edit = (edited: string, done: string): Promise<void> =>
    decide({ verdict: "edit", text: edited }, done);
  if (words === "refuse")
    return (
      <Words
        label="Why not? Your agent is told this."
        start=""
        send="Refuse"
        isOk={!isBusy}
        cancel={cancel}
        done={(reason) => refuse(reason.trim())}
      />
    );
  if (words === "edit")
    return (
      <Words
        label="Your words go instead, marked as a human's."
        start={unmarked(text)}
        send="Send my words"
        isOk={canSay}
        cancel={cancel}
        done={(edited) => edit(edited, "Sent in your words.")}
      />
    );
  const button = (label: string, isMain: boolean, isOk: boolean, go: () => void) => (
    <button type="button" class={isMain ? "btn main" : "btn"} disabled={!isOk} onClick={go}>
      {label}
    </button>
  );
  const approve = button(yes, !isRisky, canSay, () => void decide({ verdict: "approve" }, "Done."));
  return (
    <div class="row">
      {isSecret && isMessage
        ? button(
            "Send without it",
            true,
            canSay,
            () => void edit(unmarked(text), "Sent without it, as yours."),
          )
        : null}
      {isRisky ? null : approve}
      {button("Refuse", isRisky && !(isSecret && isMessage), !isBusy, () => void refuse(""))}
      {button("Refuse, because…", false, !isBusy, () => setWords("refuse"))}
      {isMessage ? button("Edit and send…", false, !isBusy, () => setWords("edit")) : null}
      {isRisky ? approve : null}
    </div>
  );
}
