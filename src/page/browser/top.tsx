import { toggleHold, togglePause } from "./act.ts";
import {
  alarms,
  chosen,
  dialog,
  labelOf,
  now,
  observing,
  readAlarm,
  shownPart,
  stands,
  waiting,
  world,
  type Tunnel,
} from "./store.ts";
import { word } from "./word.ts";
import { left } from "./words.ts";

interface TopProps {
  readonly tunnel: Tunnel | undefined;
  /** The part that a narrow screen shows. */
  readonly shown: string;
}

/** The goal, how it stands, and what stops it: always there. */
export function Top({ tunnel, shown }: TopProps) {
  const all = [...world.value.tunnels.values()];
  const state = tunnel?.view.state;
  return (
    <header>
      <h1>
        {tunnel === undefined ? (
          "tunnel-mcp"
        ) : all.length < 2 ? (
          tunnel.view.goal
        ) : (
          <select
            aria-label="Tunnel"
            value={tunnel.key}
            onChange={(event) => (chosen.value = event.currentTarget.value)}
          >
            {all.map((one) => (
              <option key={one.key} value={one.key}>
                {labelOf(one) + one.view.mark}
              </option>
            ))}
          </select>
        )}
      </h1>
      {state === undefined ? null : (
        <span class={`chip ${state.tone}`} title={state.why}>
          <span class={`dot ${state.tone}`} aria-hidden="true" />
          {state.word}
        </span>
      )}
      <span class="grow" />
      {tunnel === undefined || tunnel.view.over !== undefined || observing.value ? null : (
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
      {tunnel === undefined ? null : <Parts shown={shown} />}
    </header>
  );
}

function Controls({ tunnel }: { readonly tunnel: Tunnel }) {
  const { holdsOut, holdsIn, isPaused, isHost } = tunnel.view;
  const button = (label: string, key: string, isOn: boolean, go: () => void) => (
    <button type="button" class="btn" aria-pressed={isOn} onClick={go}>
      {label}
      <kbd>{key}</kbd>
    </button>
  );
  return (
    <div class="controls" role="group" aria-label="Stop things">
      {button(holdsOut ? "Holding out" : "Hold out", "H", holdsOut, () => void toggleHold(tunnel, "out"))}
      {button(holdsIn ? "Holding in" : "Hold in", "I", holdsIn, () => void toggleHold(tunnel, "in"))}
      {button(isPaused ? "Go on" : "Pause", "P", isPaused, () => void togglePause(tunnel))}
      <button type="button" class="btn end" onClick={() => (dialog.value = { name: "end" })}>
        {isHost ? "End" : "Leave"}
        <kbd>E</kbd>
      </button>
    </div>
  );
}

/** On a narrow screen there is room for one part at a time. */
function Parts({ shown }: { readonly shown: string }) {
  const count = waiting();
  const parts = (
    [
      ["said", "Said"],
      ["wait", count === 0 ? "Waiting" : `Waiting · ${count}`],
      ["room", "Room"],
    ] as const
  ).filter(([part]) => part !== "wait" || !observing.value);
  return (
    <div class="parts" role="group" aria-label="What is shown">
      {parts.map(([part, label]) => (
        <button
          key={part}
          type="button"
          class={part === "wait" && count > 0 ? "calls" : ""}
          aria-pressed={part === shown}
          onClick={() => (shownPart.value = part)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

/** Lines that stay until they were read. */
export function Alarms() {
  const { line, since } = stands.value;
  const age = Math.max(0, now.value - since);
  return (
    <div class="alarms" role="alert">
      {line === "lost" && age > 1_000 ? (
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
          <span>{text}</span>
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
