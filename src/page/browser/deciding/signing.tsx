import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { EntryShown, SignerShown, SignOffShown } from "../../model.ts";
import type { Verdict } from "../../../protocol/sign-off/signed-bytes.ts";
import { beginningOf } from "../../text/plain.ts";
import { act } from "../act.ts";
import { logs, type Tunnel } from "../store.ts";
import { Raw } from "../text.tsx";
import { say } from "../word.ts";
import { isJustInFront, JUST_IN_FRONT, useInert } from "./inert.ts";
import { signHere } from "./sign.ts";
import { Words } from "./words-field.tsx";

/** Lines of what has happened since, the newest. */
const SINCE = 8;

const CANNOT = {
  key: "This browser cannot make the key that a signature needs. Sign in a terminal: type tunnel-mcp watch, then sign.",
  other: "What is shown here is not what would be signed, so nothing was. Look at it in tunnel-mcp watch.",
} as const;

/** The outcome that stands in a tunnel: what it says, what came after it, who has signed, and this person's own word. */
export function SignOff({ tunnel, goal }: { readonly tunnel: Tunnel; readonly goal: string | undefined }) {
  const { signOff } = tunnel.view;
  return signOff === undefined ? null : (
    <Panel key={signOff.digest} tunnel={tunnel} shown={signOff} goal={goal} />
  );
}

interface PanelProps {
  readonly tunnel: Tunnel;
  readonly shown: SignOffShown;
  readonly goal: string | undefined;
}

function Panel({ tunnel, shown, goal }: PanelProps) {
  const { title, outcome, words, state, isDone, isOpen, signers, seq, digest } = shown;
  const [isWhole, setWhole] = useState(false);
  const start = beginningOf(outcome);
  const id = `sign-${tunnel.key}`;
  return (
    <section class={isDone ? "ask sign done" : "ask sign"} aria-labelledby={id}>
      <p class="why">{goal === undefined ? "To sign" : `To sign · ${goal}`}</p>
      <h3 id={id}>{title}</h3>
      <pre class="raw" dir="auto" tabIndex={0} aria-label="The outcome, as it is written">
        <Raw text={isWhole ? outcome : start.text} />
      </pre>
      {start.isWhole || isWhole ? null : (
        <button type="button" class="more" onClick={() => setWhole(true)}>
          {`Show all of it before you sign: ${start.lines} lines, ${outcome.length} characters`}
        </button>
      )}
      <p class="aloud">
        Read these words to each other: <b>{words}</b>
      </p>
      <ul class="signers">
        {signers.map((one) => (
          <Signer key={one.id} one={one} />
        ))}
      </ul>
      {state === undefined ? null : <p class="state">{state}</p>}
      <Since tunnel={tunnel} seq={seq} />
      {isOpen ? <Answer tunnel={tunnel} shown={shown} isWhole={start.isWhole || isWhole} /> : null}
      <p class="meta">{`Entry ${seq} · digest ${digest.slice(0, 12)} · what is said after it, no signature covers`}</p>
    </section>
  );
}

const SIGNS = { done: "✓", "not-done": "✗" } as const;

function Signer({ one: { name, verdict, state, reason } }: { readonly one: SignerShown }) {
  return (
    <li class={verdict ?? "waits"}>
      <span aria-hidden="true">{verdict === undefined ? "…" : SIGNS[verdict]}</span>
      <span>
        <b>{name}</b> {state}
        {reason === undefined ? null : (
          <q dir="auto">
            <Raw text={reason} />
          </q>
        )}
      </span>
    </li>
  );
}

const lineOf = (one: EntryShown): string => {
  if (one.kind === "system") return one.text;
  const text = one.text ?? one.card?.name ?? "";
  return `${one.from}: ${text.length > 90 ? `${text.slice(0, 90)}…` : text}`;
};

/** Everything that has happened in the room after the proposal. */
function Since({ tunnel, seq }: { readonly tunnel: Tunnel; readonly seq: number }) {
  const { entries } = logs.value.get(tunnel.key) ?? { entries: [] };
  const at = entries.findIndex((one) => one.kind === "said" && one.seq === seq);
  const since = at < 0 ? [] : entries.slice(at + 1);
  if (since.length === 0) return <p class="hint">Nothing has happened since.</p>;
  return (
    <details open>
      <summary>{`What has happened since (${since.length})`}</summary>
      <ul class="facts">
        {since.slice(-SINCE).map((one) => (
          <li key={one.at}>
            <Raw text={lineOf(one)} />
          </li>
        ))}
      </ul>
    </details>
  );
}

interface AnswerProps {
  readonly tunnel: Tunnel;
  readonly shown: SignOffShown;
  readonly isWhole: boolean;
}

/** A yes takes two presses, the second of which is inert for a moment; a no is always possible. */
function Answer({ tunnel, shown, isWhole }: AnswerProps) {
  const [step, setStep] = useState<"ask" | "sure" | "refuse">("ask");
  const [isBusy, setBusy] = useState(false);
  const isInert = useInert(step);
  const back = (): void => setStep("ask");
  const answer = async (verdict: Verdict, reason: string): Promise<void> => {
    if (verdict === "done" && isJustInFront()) return say(JUST_IN_FRONT);
    setBusy(true);
    const said = { verdict, ...(reason === "" ? {} : { reason }) };
    const signed = await signHere(shown, said);
    if (typeof signed === "string") say(CANNOT[signed], true);
    else {
      const command = { do: "sign", tunnelId: tunnel.view.tunnelId, ...said, ...signed } as const;
      await act(tunnel.server, command, verdict === "done" ? "Signed." : "Refused.");
    }
    setBusy(false);
    back();
  };
  if (step === "refuse")
    return (
      <Words
        label="Why not? Everybody in the room is told this."
        start=""
        send="Refuse to sign"
        isOk={!isBusy}
        cancel={back}
        done={(reason) => answer("not-done", reason.trim())}
      />
    );
  if (step === "sure")
    return (
      <Sure
        key="sure"
        words={shown.words}
        isOk={!isBusy && !isInert}
        back={back}
        sign={() => answer("done", "")}
      />
    );
  return (
    <div key="ask" class="row">
      <button
        type="button"
        class="btn main"
        disabled={isBusy || isInert || !isWhole}
        onClick={() => setStep("sure")}
      >
        Sign that it is done…
      </button>
      <button type="button" class="btn" disabled={isBusy} onClick={() => setStep("refuse")}>
        Refuse to sign…
      </button>
    </div>
  );
}

interface SureProps {
  readonly words: string;
  readonly isOk: boolean;
  readonly back: () => void;
  readonly sign: () => Promise<void>;
}

/** The second press. The way back has the focus, and stands where the first press was: a double click leads nowhere. */
function Sure({ words, isOk, back, sign }: SureProps) {
  const way = useRef<HTMLButtonElement>(null);
  // At once: the next key is meant for it.
  useLayoutEffect(() => way.current?.focus(), []);
  return (
    <div class="row sure" role="group" aria-label={`You sign the outcome with the words ${words}`}>
      <button type="button" class="btn main" ref={way} onClick={back}>
        Go back
      </button>
      <button type="button" class="btn" disabled={!isOk} onClick={() => void sign()}>
        {`Sign “${words}”`}
      </button>
    </div>
  );
}
