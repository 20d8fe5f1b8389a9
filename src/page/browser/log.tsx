import { Component } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { SpokenView } from "../../view/entries.ts";
import { systemText } from "../../view/system-text.ts";
import type { WatchedEntry } from "../../watch/protocol.ts";
import { say } from "./act.ts";
import { Composer } from "./composer.tsx";
import { fetchEarlier } from "./link.ts";
import {
  heardEarlier,
  isCaughtUp,
  logs,
  observing,
  shorten,
  world,
  type Log as Known,
  type Tunnel,
} from "./store.ts";
import { Note, Said } from "./text.tsx";
import { clock, name, plural, size } from "./words.ts";

/** A letter on a shape: agents are square and people round, mine are filled and others' outlined. */
export function Face({
  label,
  isOwn,
  isHuman,
}: {
  readonly label: string;
  readonly isOwn: boolean;
  readonly isHuman: boolean;
}) {
  const [letter = "?"] = label.replace(/^[^\p{L}\p{N}]+/u, "");
  return (
    <span class={`face ${isHuman ? "human" : ""} ${isOwn ? "mine" : "theirs"}`} aria-hidden="true">
      {letter.toUpperCase()}
    </span>
  );
}

export function Log({ tunnel }: { readonly tunnel: Tunnel }) {
  const list = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const height = useRef(0);
  const [isRaw, setRaw] = useState(false);
  const log: Known = logs.value.get(tunnel.key) ?? { entries: [], hasEarlier: false, isLong: false };
  const { entries } = log;
  const others = tunnel.view.members.filter(({ isSelf, role }) => !isSelf && role === undefined);
  const readTo = others.length === 0 ? 0 : Math.min(...others.map(({ readSeq }) => readSeq));
  const first = entries[0]?.at;
  const shownFirst = useRef(first);
  useLayoutEffect(() => {
    const at = list.current;
    if (at === null) return;
    if (isAtEnd.current) at.scrollTop = at.scrollHeight;
    // Earlier ones came above: what was read stays where it is.
    else if (first !== shownFirst.current) at.scrollTop += at.scrollHeight - height.current;
    height.current = at.scrollHeight;
    shownFirst.current = first;
  }, [entries, isRaw, tunnel.key]);
  useEffect(() => {
    const at = list.current;
    if (at?.firstElementChild == null) return undefined;
    // Rows get their true heights only when they are drawn: the end stays in sight.
    const watcher = new ResizeObserver(() => {
      if (isAtEnd.current) at.scrollTop = at.scrollHeight;
    });
    watcher.observe(at.firstElementChild);
    return () => watcher.disconnect();
  }, []);
  const scrolled = (): void => {
    const at = list.current;
    if (at === null) return;
    height.current = at.scrollHeight;
    isAtEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 60;
    if (isAtEnd.current) shorten(tunnel.key);
  };
  const earlier = async (): Promise<void> => {
    isAtEnd.current = false;
    const answer = await fetchEarlier(tunnel.server, tunnel.view.tunnelId, first ?? 1);
    const told = answer.ok ? asEntries(answer.told) : undefined;
    if (told === undefined) return say("The earlier ones could not be fetched.", true);
    heardEarlier(tunnel.key, told.entries, told.more);
  };
  const held = world.value.asks.filter(
    ({ server, view }) =>
      server === tunnel.server && view.tunnelId === tunnel.view.tunnelId && view.subject.kind === "message",
  );
  return (
    <main>
      <div class="bar">
        <h2>What was said</h2>
        <label>
          <input type="checkbox" checked={isRaw} onChange={(event) => setRaw(event.currentTarget.checked)} />
          {" as it was written"}
        </label>
      </div>
      <div
        ref={list}
        onScroll={scrolled}
        tabIndex={0}
        aria-label="Log"
        class="log"
        role={isCaughtUp.value ? "log" : "region"}
      >
        <ol class="entries">
          {log.hasEarlier && entries.length > 0 ? (
            <li class="sys">
              <button type="button" class="more" onClick={() => void earlier()}>
                Show earlier ones
              </button>
            </li>
          ) : null}
          {entries.length === 0 && held.length === 0 ? <li class="sys">Nothing has been said yet.</li> : null}
          {entries.map((one) => (
            <Row
              key={one.at}
              one={one}
              isRaw={isRaw}
              isRead={one.isOwn && one.entry.seq > 0 && one.entry.seq <= readTo}
            />
          ))}
          {held.map(({ key, view }) => (
            <li key={key} class="msg held">
              <Face label={tunnel.view.self ?? "A"} isOwn isHuman={false} />
              <div class="by">
                <b>{name(tunnel.view.self ?? "")}</b>
                {` · your agent · held for you as ask ${view.ask}, not sent`}
              </div>
              {view.subject.kind === "message" ? <Said text={view.subject.text} isRaw /> : null}
            </li>
          ))}
        </ol>
      </div>
      {tunnel.view.ended === undefined && observing.value ? (
        <p class="over">
          You read along, and everybody in the tunnel has been told. Nothing that you do here reaches it.
        </p>
      ) : tunnel.view.ended === undefined ? (
        <Composer tunnel={tunnel} />
      ) : (
        <p class="over">{`This tunnel is over: ${tunnel.view.ended.because}.`}</p>
      )}
    </main>
  );
}

function asEntries(
  told: unknown,
): { readonly entries: readonly WatchedEntry[]; readonly more: boolean } | undefined {
  if (typeof told !== "object" || told === null || !("entries" in told) || !Array.isArray(told.entries))
    return undefined;
  return { entries: told.entries as readonly WatchedEntry[], more: "more" in told && told.more === true };
}

interface RowProps {
  readonly one: WatchedEntry;
  readonly isRaw: boolean;
  readonly isRead: boolean;
}

/** One entry. It is drawn again only where something of it has changed. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { one, isRaw, isRead } = this.props;
    return next.one !== one || next.isRaw !== isRaw || next.isRead !== isRead;
  }

  override render({ one, isRaw, isRead }: RowProps) {
    const { entry, isOwn } = one;
    if (entry.kind === "notice") return null;
    if (entry.kind === "system") {
      const who = "memberName" in entry.event ? name(entry.event.memberName) : "";
      return (
        <li class="sys">
          <span>{`${systemText(entry.event, who)} · ${clock(entry.ts)}`}</span>
        </li>
      );
    }
    const isHuman = entry.author === "human";
    return (
      <li class={isHuman ? "msg by-human" : "msg"}>
        <Face label={entry.fromName} isOwn={isOwn} isHuman={isHuman} />
        <By entry={entry} isOwn={isOwn} isRead={isRead} />
        <Content entry={entry} isRaw={isRaw} />
      </li>
    );
  }
}

const INTENTS: Readonly<Record<string, string>> = { request: "asks", inform: "informs", ack: "acknowledges" };

function By({
  entry,
  isOwn,
  isRead,
}: {
  readonly entry: SpokenView;
  readonly isOwn: boolean;
  readonly isRead: boolean;
}) {
  const { fromName, from, lookAlike, author, intent, to, replyTo, seq, ts, beforeYou } = entry;
  const kind =
    author === "human" ? (isOwn ? "you" : "human, says their program") : isOwn ? "your agent" : "agent";
  const more = [
    `${clock(ts)} · ${seq > 0 ? seq : "on its way"}`,
    ...(to === undefined ? [] : [`to ${to.map(name).join(", ")} alone`]),
    ...(replyTo === undefined ? [] : [`answers ${replyTo}`]),
    ...(beforeYou === true ? ["before you came"] : []),
    ...(isRead ? ["read"] : []),
  ];
  return (
    <div class="by">
      <b>{name(fromName)}</b>
      {lookAlike === true ? <code>{` ${from}`}</code> : null} <em>{kind}</em>
      {intent === undefined ? null : <em>{INTENTS[intent] ?? intent}</em>}
      {` ${more.join(" · ")}`}
    </div>
  );
}

function Content({ entry, isRaw }: { readonly entry: SpokenView; readonly isRaw: boolean }) {
  switch (entry.kind) {
    case "chat":
      return <Said text={entry.text} isRaw={isRaw} />;
    case "file": {
      const { file, note } = entry;
      const patch =
        file.patch === undefined
          ? ""
          : ` · patch of ${plural(file.patch.files, "file")}, +${file.patch.insertions} −${file.patch.deletions}`;
      return (
        <div class="said">
          <div class="file">
            <b>{name(file.name)}</b>
            <small>{`${size(file.size)}${patch}`}</small>
          </div>
          {note === undefined ? null : <Note text={note} />}
        </div>
      );
    }
    case "service": {
      const { service, note } = entry;
      return (
        <div class="said">
          <div class="file">
            <b>{name(service.name)}</b>
            <small>{`a service: ${service.service}${service.readOnly === true ? ", read only" : ""}`}</small>
          </div>
          {note === undefined ? null : <Note text={note} />}
        </div>
      );
    }
    case "withdrawal":
      return (
        <div class="said">
          <p>no longer offers a service.</p>
        </div>
      );
  }
}
