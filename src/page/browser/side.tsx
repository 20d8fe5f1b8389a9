import type { ComponentChildren } from "preact";
import type { Gauge, MemberShown, Part, Thing } from "../model.ts";
import { act, stop } from "./act.ts";
import { Face } from "./log.tsx";
import { dialog, now, observing, partsOf, type Tunnel } from "./store.ts";
import { left } from "./words.ts";

function Section({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

interface StopProps {
  readonly label: string;
  readonly what: string;
  readonly onClick: () => void;
}

function StopButton({ label, what, onClick }: StopProps) {
  return (
    <button type="button" class="small" aria-label={`${label} ${what}`} onClick={onClick}>
      {label}
    </button>
  );
}

export function Side({ tunnel }: { readonly tunnel: Tunnel }) {
  const { server, view } = tunnel;
  return (
    <nav tabIndex={-1} aria-label="Members, limits and what is open">
      <Section title="In the room">
        {view.members.map((member) => (
          <Member key={member.id} member={member} />
        ))}
        {view.members.some(({ safetyCode }) => safetyCode !== undefined) ? (
          <p class="hint">
            Read a safety code aloud to the other human: if both have the same, nobody sits between you.
          </p>
        ) : null}
      </Section>
      {partsOf(tunnel).map(({ server: whose, part }) => (
        <Things key={`${whose} ${part.title}`} server={whose} part={part} />
      ))}
      {view.invites.things.length === 0 ? null : <Things server={server} part={view.invites} />}
      {view.gauges.length === 0 ? null : (
        <Section title="Limits of your agent">
          {view.gauges.map((gauge) => (
            <GaugeOf key={gauge.label} gauge={gauge} />
          ))}
          {view.isStopped ? (
            <button
              type="button"
              class="btn"
              onClick={() =>
                void act(
                  server,
                  { do: "go-on", tunnelId: view.tunnelId },
                  "The agents may go on; everything is counted anew.",
                )
              }
            >
              Let them go on
            </button>
          ) : null}
        </Section>
      )}
      {observing.value ? null : (
        <Section title="Decisions so far">
          <button type="button" class="btn" onClick={() => (dialog.value = { name: "audit" })}>
            Look at the record
          </button>
        </Section>
      )}
    </nav>
  );
}

function Member({ member }: { readonly member: MemberShown }) {
  const { id, name, sign, isOwn, isHost, isObserver, awaySince, lines, safetyCode, canRemove } = member;
  const here = awaySince === undefined ? "here" : `away for ${left(now.value - awaySince)}`;
  const [signs, words] = (safetyCode ?? "").split(" / ");
  return (
    <div class="who">
      <Face label={name} isOwn={isOwn} isHuman={false} />
      <b>
        {name}
        {sign === undefined ? null : <code>{` ${sign}`}</code>}
        {isHost ? <em>host</em> : null}
        {isObserver ? <em>observer</em> : null}
      </b>
      <small class="state">
        <span class={`dot ${awaySince === undefined ? "" : "away"}`} aria-hidden="true" />
        {isOwn ? (isObserver ? "you" : "your agent") : here}
      </small>
      {lines.map((line) => (
        <small>{line}</small>
      ))}
      {safetyCode === undefined ? null : (
        <small class="safety">
          <span>Safety code</span>
          <b>{signs}</b>
          <span>{words}</span>
        </small>
      )}
      {canRemove ? (
        <StopButton
          label="Remove…"
          what={name}
          onClick={() => (dialog.value = { name: "kick", member: id, label: name })}
        />
      ) : null}
    </div>
  );
}

function GaugeOf({ gauge: { label, text, share } }: { readonly gauge: Gauge }) {
  const id = `gauge-${label}`.replaceAll(" ", "-");
  const percent = Math.round(share * 100);
  return (
    <div class={share >= 0.8 ? "gauge near" : "gauge"}>
      <p id={id}>
        {label}
        <span>{text}</span>
      </p>
      <div
        role="meter"
        aria-labelledby={id}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={text}
      >
        <i style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}

function Things({ server, part: { title, things } }: { readonly server: string; readonly part: Part }) {
  return (
    <Section title={title}>
      {things.map((thing) => (
        <ThingOf key={thing.key} server={server} thing={thing} />
      ))}
    </Section>
  );
}

function ThingOf({ server, thing }: { readonly server: string; readonly thing: Thing }) {
  const { name, code, lines, log, until, isHeld, stop: how } = thing;
  const rest = until === undefined ? 0 : until - now.value;
  return (
    <div class={isHeld ? "thing held" : "thing"}>
      <b>{name}</b>
      {code === undefined ? null : <code>{code}</code>}
      {lines.map((line) => (
        <small>{line}</small>
      ))}
      {until === undefined ? null : <small>{rest > 0 ? `${left(rest)} left` : "its time is over"}</small>}
      {log.length === 0 ? null : (
        <ul>
          {log.map((line) => (
            <li>{line}</li>
          ))}
        </ul>
      )}
      {how === undefined ? null : (
        <StopButton label={how.label} what={how.what} onClick={() => stop(server, how)} />
      )}
    </div>
  );
}
