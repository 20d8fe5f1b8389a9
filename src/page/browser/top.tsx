import { toggleHold, togglePause, word } from "./act.ts";
import { alarms, chosen, dialog, now, observing, readAlarm, stands, world, type Tunnel } from "./store.ts";
import { goal, left, state } from "./words.ts";

/** The goal, how it stands, and what stops it: always there. */
export function Top({ tunnel }: { readonly tunnel: Tunnel | undefined }) {
  const all = [...world.value.tunnels.values()];
  return (
    <header>
      {all.length < 2 || tunnel === undefined ? (
        <h1>{tunnel === undefined ? "tunnel-mcp" : goal(tunnel.view.goal)}</h1>
      ) : (
        <h1>
          <select
            aria-label="Tunnel"
            value={tunnel.key}
            onChange={(event) => (chosen.value = event.currentTarget.value)}
          >
            {all.map((one) => (
              <option
                key={one.key}
                value={one.key}
              >{`${goal(one.view.goal)}${one.view.ended === undefined ? "" : " (over)"}`}</option>
            ))}
          </select>
        </h1>
      )}
      {tunnel === undefined ? null : <State tunnel={tunnel} />}
      <span class="grow" />
      {tunnel === undefined || tunnel.view.ended !== undefined || observing.value ? null : (
        <Controls tunnel={tunnel} />
      )}
      <button
        type="button"
        class="btn help"
        aria-label="Keys and help"
        onClick={() => (dialog.value = { name: "help" })}
      >
        ?
      </button>
    </header>
  );
}

function State({ tunnel }: { readonly tunnel: Tunnel }) {
  const { word: shown, tone, why } = state(tunnel.view);
  return (
    <span class="chip" title={why}>
      <span class={`dot ${tone}`} aria-hidden="true" />
      {shown}
    </span>
  );
}

function Controls({ tunnel }: { readonly tunnel: Tunnel }) {
  const { gates, paused } = tunnel.view.oversight;
  const [out, inward] = [gates.includes("hold-out"), gates.includes("hold-in")];
  return (
    <div class="controls" role="group" aria-label="Stop things">
      <button type="button" class="btn" aria-pressed={out} onClick={() => void toggleHold(tunnel, "out")}>
        {out ? "Holding out" : "Hold out"}
        <kbd>H</kbd>
      </button>
      <button type="button" class="btn" aria-pressed={inward} onClick={() => void toggleHold(tunnel, "in")}>
        {inward ? "Holding in" : "Hold in"}
        <kbd>I</kbd>
      </button>
      <button type="button" class="btn" aria-pressed={paused} onClick={() => void togglePause(tunnel)}>
        {paused ? "Go on" : "Pause"}
        <kbd>P</kbd>
      </button>
      <button type="button" class="btn end" onClick={() => (dialog.value = { name: "end" })}>
        {tunnel.view.role === "host" ? "End" : "Leave"}
        <kbd>E</kbd>
      </button>
    </div>
  );
}

/** What has to be read, and stays until it was. */
export function Alarms() {
  const { line, since } = stands.value;
  const age = (now.value - since) / 1_000;
  return (
    <div class="alarms" role="alert">
      {line === "lost" && age > 1 ? (
        <p class="alarm stop">{`The program of this page does not answer. What you see is ${left(age)} old; it comes back by itself when the program does.`}</p>
      ) : null}
      {line === "moved" ? (
        <p class="alarm look">
          This page goes on in another tab that was made from this one. Close one of them.
        </p>
      ) : null}
      {alarms.value.map(({ id, kind, text }) => (
        <p key={id} class={`alarm ${kind}`}>
          <b>{kind === "stop" ? "Alarm" : "Note"}</b>
          {` ${text} `}
          <button type="button" class="small" onClick={() => readAlarm(id)}>
            I have read it
          </button>
        </p>
      ))}
    </div>
  );
}

/** The last word about something that was done. */
export function LastWord() {
  const last = word.value;
  return (
    <p class={last?.isBad === true ? "word bad" : "word"} role="status">
      {last?.text ?? ""}
    </p>
  );
}
