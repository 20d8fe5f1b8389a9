import type { ComponentChildren } from "preact";
import type { MemberView } from "../../view/members.ts";
import { act } from "./act.ts";
import { Face } from "./log.tsx";
import { dialog, keyOf, now, observing, world, type Tunnel } from "./store.ts";
import { left, name, plural, size } from "./words.ts";
import { oneLine } from "../text/plain.ts";

const since = (toldAt: number): number => (now.value - toldAt) / 1_000;

function Part({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Stop({
  label,
  what,
  onClick,
}: {
  readonly label: string;
  readonly what: string;
  readonly onClick: () => void;
}) {
  return (
    <button type="button" class="small" aria-label={`${label} ${what}`} onClick={onClick}>
      {label}
    </button>
  );
}

export function Side({ tunnel }: { readonly tunnel: Tunnel }) {
  return (
    <nav tabIndex={-1} aria-label="Members, limits and what is open">
      <Members tunnel={tunnel} />
      {observing.value ? null : <Mine tunnel={tunnel} />}
    </nav>
  );
}

/** What this person bounds, opens and decides. */
function Mine({ tunnel }: { readonly tunnel: Tunnel }) {
  return (
    <>
      <Budgets tunnel={tunnel} />
      <Services tunnel={tunnel} />
      <Exposures />
      <Invites tunnel={tunnel} />
      <Part title="Decisions so far">
        <button type="button" class="btn" onClick={() => (dialog.value = { name: "audit" })}>
          Look at the record
        </button>
      </Part>
    </>
  );
}

function memberState(
  { isSelf, role, connected, lastSeenSec, readSeq, oversight }: MemberView,
  age: number,
  lastSeq: number,
): string {
  if (isSelf) return role === undefined ? "your agent" : "you read along";
  const where = connected ? "here" : `away for ${left(lastSeenSec + age)}`;
  if (role !== undefined)
    return `reads along ${role === "observer" ? "from their arrival on" : "from the beginning"} · ${where}`;
  const read = readSeq >= lastSeq ? "has read everything" : `has read up to ${readSeq}`;
  const held =
    oversight === undefined || oversight.state === "free"
      ? []
      : [oversight.state === "paused" ? "paused by their human" : "stopped by their limits"];
  return [where, read, ...held].join(" · ");
}

function Members({ tunnel }: { readonly tunnel: Tunnel }) {
  const { members, safetyCodes, role, ended } = tunnel.view;
  const lastSeq = Math.max(0, ...members.map(({ readSeq }) => readSeq));
  return (
    <Part title="In the room">
      {members.map((member) => {
        const { workContext: at } = member;
        const code = safetyCodes.find((one) => one.name === member.name)?.safetyCode;
        const work =
          at === undefined ? [] : [at.client, at.repository, at.branch].filter((one) => one !== undefined);
        return (
          <div key={member.id} class="who">
            <Face label={member.name} isOwn={member.isSelf} isHuman={false} />
            <b>
              {name(member.name)}
              {member.lookAlike === true ? <code>{` ${member.id}`}</code> : null}
              {member.isHost ? <em>host</em> : null}
              {member.role === undefined ? null : <em>observer</em>}
            </b>
            <small>{memberState(member, since(tunnel.toldAt), lastSeq)}</small>
            {work.length === 0 ? null : <small>{work.map(oneLine).join(" · ")}</small>}
            {code === undefined ? null : <small class="safety">{`Safety code ${code}`}</small>}
            {member.isSelf || role !== "host" || ended !== undefined ? null : (
              <Stop
                label="Remove…"
                what={name(member.name)}
                onClick={() => (dialog.value = { name: "kick", member: member.id, label: name(member.name) })}
              />
            )}
          </div>
        );
      })}
      {safetyCodes.length === 0 ? null : (
        <p class="hint">
          Read a safety code aloud to the other human: if both have the same, nobody sits between you.
        </p>
      )}
    </Part>
  );
}

const BUDGETS = {
  messages: "Messages of agents",
  bytes: "Sent",
  files: "Files offered",
  minutes: "Minutes",
} as const;

function Budgets({ tunnel }: { readonly tunnel: Tunnel }) {
  const { budgets, stopped } = tunnel.view.oversight;
  if (budgets === undefined) return null;
  return (
    <Part title="Limits of your agent">
      {(["messages", "bytes", "files", "minutes"] as const).map((key) => {
        const { used, limit } = budgets[key];
        const share = limit === 0 ? 1 : Math.min(1, used / limit);
        const shown = key === "bytes" ? `${size(used)} of ${size(limit)}` : `${used} of ${limit}`;
        return (
          <div key={key} class={share >= 0.8 ? "gauge near" : "gauge"}>
            <p id={`gauge-${key}`}>
              {BUDGETS[key]}
              <span>{share >= 1 ? `${shown}: used up` : shown}</span>
            </p>
            <div
              role="meter"
              aria-labelledby={`gauge-${key}`}
              aria-valuemin={0}
              aria-valuemax={limit}
              aria-valuenow={Math.min(used, limit)}
            >
              <i style={{ width: `${share * 100}%` }} />
            </div>
          </div>
        );
      })}
      {stopped === undefined ? null : (
        <button
          type="button"
          class="btn"
          onClick={() =>
            void act(
              tunnel.server,
              { do: "go-on", tunnelId: tunnel.view.tunnelId },
              "The agents may go on; everything is counted anew.",
            )
          }
        >
          Let them go on
        </button>
      )}
    </Part>
  );
}

function Services({ tunnel }: { readonly tunnel: Tunnel }) {
  const { server, view } = tunnel;
  const told = world.value.services.get(keyOf(server, view.tunnelId));
  if (told === undefined) return null;
  const offered = told.view.offered.filter(({ status }) => status !== "over");
  const { listeners, toYou } = told.view;
  const rest = (seconds: number | undefined): string =>
    seconds === undefined ? "" : ` · ${left(seconds - since(told.toldAt))} left`;
  const stop = (service: string, done: string): void =>
    void act(server, { do: "stop-service", tunnelId: view.tunnelId, service }, done);
  return (
    <>
      {offered.length === 0 ? null : (
        <Part title="Open to them">
          {offered.map((one) => (
            <div key={one.serviceId} class="thing">
              <b>{name(one.name)}</b> <code>{oneLine(one.target)}</code>
              <small>{`${one.service}${one.readOnly === true ? ", read only" : ""} · ${plural(one.open, "connection")} now, ${one.connections} in all · ${size(one.bytesOut)} out, ${size(one.bytesIn)} in${rest(one.expiresInSec)}${one.status === "held" ? " · waits for you" : ""}`}</small>
              <Stop
                label="Withdraw"
                what={name(one.name)}
                onClick={() => stop(one.serviceId, "It is no longer offered.")}
              />
            </div>
          ))}
        </Part>
      )}
      {listeners.length === 0 ? null : (
        <Part title="Theirs, on this machine">
          {listeners.map((one) => (
            <div key={one.serviceId} class="thing">
              <b>{name(one.name)}</b> <code>{`${one.host}:${one.port}`}</code>
              <small>{`of ${name(one.fromName)} · ${one.status === "away" ? "cut off with its owner" : plural(one.open, "connection")} · ${size(one.bytesIn)} in, ${size(one.bytesOut)} out${rest(one.expiresInSec)}`}</small>
              <Stop
                label="Disconnect"
                what={name(one.name)}
                onClick={() => stop(one.serviceId, "It is no longer on this machine.")}
              />
            </div>
          ))}
        </Part>
      )}
      {toYou.length === 0 ? null : (
        <Part title="Offered to you">
          {toYou.map((one) => (
            <div key={one.serviceId} class="thing">
              <b>{name(one.name)}</b>
              <small>{`${one.service} of ${name(one.fromName)}${rest(one.expiresInSec)}`}</small>
            </div>
          ))}
        </Part>
      )}
    </>
  );
}

function Exposures() {
  const all = [...world.value.exposures.values()];
  if (all.length === 0) return null;
  return (
    <Part title="Open to the internet">
      {all.map(({ server, toldAt, view }) => (
        <div key={view.exposureId} class="thing">
          <b>{name(view.name)}</b> <code>{oneLine(view.target)}</code>
          <small>{view.publicUrl === undefined ? "no address yet" : oneLine(view.publicUrl)}</small>
          <small>{`${view.status} · ${plural(view.requests, "request")}${view.expiresInSec === undefined ? "" : ` · ${left(view.expiresInSec - since(toldAt))} left`}`}</small>
          <Stop
            label="Stop"
            what={name(view.name)}
            onClick={() =>
              void act(
                server,
                { do: "stop-exposure", exposure: view.exposureId },
                "Its public address is gone.",
              )
            }
          />
        </div>
      ))}
    </Part>
  );
}

function Invites({ tunnel }: { readonly tunnel: Tunnel }) {
  const { invites, tunnelId } = tunnel.view;
  const pending = invites.filter(({ expiresInSec }) => expiresInSec > since(tunnel.toldAt));
  if (pending.length === 0) return null;
  return (
    <Part title="Invites that nobody has used">
      {pending.map(({ inviteId, expiresInSec, claimed }) => (
        <div key={inviteId} class="thing">
          <code>{inviteId}</code>
          <small>{`works once · ${left(expiresInSec - since(tunnel.toldAt))} left${claimed ? " · somebody is joining with it" : ""}`}</small>
          <Stop
            label="Take back"
            what={inviteId}
            onClick={() =>
              void act(
                tunnel.server,
                { do: "revoke-invite", tunnelId, invite: inviteId },
                "The invite is worth nothing now.",
              )
            }
          />
        </div>
      ))}
    </Part>
  );
}
