import { Component } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Card, EntryShown, SaidShown } from "../model.ts";
import { asked, look } from "./act.ts";
import { Composer } from "./composer.tsx";
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
import { say } from "./word.ts";
import { clock } from "./words.ts";

interface FaceProps {
  readonly label: string;
  readonly isOwn: boolean;
  readonly isHuman: boolean;
}

/** A letter on a shape: agents are square and people round, mine are filled and others' outlined. */
export function Face({ label, isOwn, isHuman }: FaceProps) {
  const [letter = "?"] = label.replace(/^[^\p{L}\p{N}]+/u, "");
  return (
    <span class={`face ${isHuman ? "human" : ""} ${isOwn ? "mine" : "theirs"}`} aria-hidden="true">
      {letter.toUpperCase()}
    </span>
  );
}

const NEAR_END_PX = 60;

/** Keeps the end in sight for who reads there, and the place of everybody else. @param first place of the first entry */
function useScrolling(key: string, entries: readonly EntryShown[], isRaw: boolean) {
  const list = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const height = useRef(0);
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
  }, [entries, isRaw, key]);
  useEffect(() => {
    const at = list.current;
    if (at?.firstElementChild == null) return undefined;
    // Rows get their true heights only when they are drawn: the end stays in sight.
    const watcher = new ResizeObserver(() => {
      if (isAtEnd.current) at.scrollTop = at.scrollHeight;
    });
    watcher.observe(at.firstElementChild);
    watcher.observe(at);
    return () => watcher.disconnect();
  }, []);
  const scrolled = (): void => {
    const at = list.current;
    if (at === null) return;
    height.current = at.scrollHeight;
    isAtEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_END_PX;
    if (isAtEnd.current) shorten(key);
  };
  return { list, isAtEnd, scrolled };
}

export function Log({ tunnel }: { readonly tunnel: Tunnel }) {
  const { key, server, view } = tunnel;
  const [isRaw, setRaw] = useState(false);
  const log: Known = logs.value.get(key) ?? { entries: [], hasEarlier: false, isLong: false };
  const { entries } = log;
  const { list, isAtEnd, scrolled } = useScrolling(key, entries, isRaw);
  const earlier = async (): Promise<void> => {
    isAtEnd.current = false;
    const before = entries[0]?.at ?? 1;
    const told = await asked(server, { do: "earlier", tunnelId: view.tunnelId, before });
    if (typeof told === "string" || told.told !== "entries")
      return say("The earlier ones could not be fetched.", true);
    heardEarlier(key, told.entries, told.more);
  };
  const held = world.value.asks.filter(
    (one) => one.server === server && one.view.tunnelId === view.tunnelId && one.view.isMessage,
  );
  return (
    <main>
      <div class="bar">
        <h2>What was said</h2>
        <label>
          <input type="checkbox" checked={isRaw} onChange={(event) => setRaw(event.currentTarget.checked)} />
          as it was written
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
          {entries.length === 0 && held.length === 0 ? (
            <li class="sys">
              <span>Nothing has been said yet.</span>
            </li>
          ) : null}
          {entries.map((one, at) => (
            <Row
              key={one.at}
              one={one}
              server={server}
              isRaw={isRaw}
              goesOn={goesOn(entries[at - 1], one)}
              isRead={one.kind === "said" && one.isOwn && one.seq > 0 && one.seq <= view.readTo}
            />
          ))}
          {held.map((one) => (
            <li key={one.key} class="msg held">
              <Face label={view.self} isOwn isHuman={false} />
              <div class="by">
                <b>{view.self}</b>
                <em>your agent</em>
                {` held for you as ask ${one.view.ask}, not sent`}
              </div>
              <Said text={one.view.text ?? ""} isRaw />
            </li>
          ))}
        </ol>
      </div>
      {view.over === undefined && observing.value ? (
        <p class="over">
          You read along, and everybody in the tunnel was told. Nothing that you do here reaches it.
        </p>
      ) : view.over === undefined ? (
        <Composer tunnel={tunnel} />
      ) : (
        <p class="over">{view.over}</p>
      )}
    </main>
  );
}

/** The same voice goes on within this time. */
const SAME_MS = 5 * 60_000;

/** Whether an entry is said by the one before it, so that the face need not be drawn again. */
function goesOn(before: EntryShown | undefined, one: EntryShown): boolean {
  return (
    before?.kind === "said" &&
    one.kind === "said" &&
    before.from === one.from &&
    before.sign === one.sign &&
    before.isHuman === one.isHuman &&
    before.isOwn === one.isOwn &&
    one.ts - before.ts < SAME_MS
  );
}

interface RowProps {
  readonly one: EntryShown;
  readonly server: string;
  readonly isRaw: boolean;
  readonly isRead: boolean;
  readonly goesOn: boolean;
}

/** One entry. It is drawn again only where something of it has changed. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { one, isRaw, isRead, goesOn: goes } = this.props;
    return next.one !== one || next.isRaw !== isRaw || next.isRead !== isRead || next.goesOn !== goes;
  }

  override render({ one, server, isRaw, isRead, goesOn: goes }: RowProps) {
    if (one.kind === "system")
      return (
        <li class="sys">
          <span>{`${one.text} · ${clock(one.ts)}`}</span>
        </li>
      );
    const { text, card, note } = one;
    return (
      <li class={`msg ${one.isHuman ? "by-human" : ""} ${goes ? "goes-on" : ""}`}>
        <Face label={one.from} isOwn={one.isOwn} isHuman={one.isHuman} />
        <By one={one} isRead={isRead} />
        {text === undefined ? null : <Said text={text} isRaw={isRaw} />}
        {card === undefined ? null : <CardOf card={card} server={server} />}
        {note === undefined ? null : <Note text={note} />}
      </li>
    );
  }
}

function By({ one, isRead }: { readonly one: SaidShown; readonly isRead: boolean }) {
  const { from, sign, tags, facts, seq, ts } = one;
  const more = [clock(ts), seq > 0 ? String(seq) : "on its way", ...facts, ...(isRead ? ["read"] : [])];
  return (
    <div class="by">
      <b>{from}</b>
      {sign === undefined ? null : <code>{` ${sign}`}</code>}
      {tags.map((tag) => (
        <em>{tag}</em>
      ))}
      <small>{more.join(" · ")}</small>
    </div>
  );
}

function CardOf({ card, server }: { readonly card: Card; readonly server: string }) {
  const { name, facts, outline, look: command } = card;
  return (
    <div class="file">
      <span>
        <b>{name}</b>
        <small>{facts}</small>
      </span>
      {command === undefined ? null : (
        <button
          type="button"
          class="btn"
          aria-label={`Look into ${name}`}
          onClick={() => look(server, name, command)}
        >
          Look
        </button>
      )}
      {outline.length === 0 ? null : <pre tabIndex={0}>{outline.join("\n")}</pre>}
    </div>
  );
}
