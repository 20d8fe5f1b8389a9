import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { AuditLine } from "../../watch/protocol.ts";
import { act, end } from "./act.ts";
import { send } from "./link.ts";
import { dialog, observing, type Tunnel } from "./store.ts";
import { clock, goal } from "./words.ts";

const close = (): void => void (dialog.value = undefined);

export function Dialogs({ tunnel }: { readonly tunnel: Tunnel | undefined }) {
  const open = dialog.value;
  if (open === undefined) return null;
  if (open.name === "help") return <Help />;
  if (tunnel === undefined) return null;
  switch (open.name) {
    case "audit":
      return <Audit tunnel={tunnel} />;
    case "end": {
      const isHost = tunnel.view.role === "host";
      const what = isHost ? "End the tunnel for everybody" : "Leave the tunnel";
      return (
        <Sure title={`${what}?`} yes={what} go={() => end(tunnel)}>
          <p>{`“${goal(tunnel.view.goal)}”. What waits for you is not sent. The transcript stays with the agents.`}</p>
        </Sure>
      );
    }
    case "kick": {
      const { member, label } = open;
      const go = () =>
        act(
          tunnel.server,
          { do: "kick", tunnelId: tunnel.view.tunnelId, name: member },
          `${label} was removed.`,
        );
      return (
        <Sure title={`Remove ${label}?`} yes={`Remove ${label}`} go={go}>
          <p>They are out at once, and come back only with a new invite.</p>
        </Sure>
      );
    }
  }
}

function Modal({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null);
  // At once: the next key is meant for it.
  useLayoutEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} aria-labelledby="dialog-title" onClose={close}>
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}

/** Something that cannot be taken back: the way out has the focus. */
function Sure({
  title,
  yes,
  go,
  children,
}: {
  readonly title: string;
  readonly yes: string;
  readonly go: () => Promise<unknown>;
  readonly children: ComponentChildren;
}) {
  return (
    <Modal title={title}>
      {children}
      <div class="row">
        <button type="button" class="btn main" autoFocus onClick={close}>
          Go back
        </button>
        <button
          type="button"
          class="btn end"
          onClick={() => {
            close();
            void go();
          }}
        >
          {yes}
        </button>
      </div>
    </Modal>
  );
}

function Audit({ tunnel }: { readonly tunnel: Tunnel }) {
  const [lines, setLines] = useState<readonly AuditLine[] | undefined>(undefined);
  useEffect(() => {
    void send(tunnel.server, { do: "audit", tunnelId: tunnel.view.tunnelId }).then((answer) =>
      setLines(answer.ok ? linesOf(answer.told) : []),
    );
  }, []);
  return (
    <Modal title="What was asked and decided">
      {lines === undefined ? (
        <p>…</p>
      ) : lines.length === 0 ? (
        <p>Nothing yet.</p>
      ) : (
        <ol class="audit" tabIndex={0}>
          {lines.map(({ ts, text }) => (
            <li>
              <time dateTime={ts}>{clock(ts)}</time> {text}
            </li>
          ))}
        </ol>
      )}
      <p class="hint">
        It is signed and kept with the transcript: tunnel-mcp export shows it, and tunnel-mcp verify notices a
        change.
      </p>
      <div class="row">
        <button type="button" class="btn main" autoFocus onClick={close}>
          Close
        </button>
      </div>
    </Modal>
  );
}

function linesOf(told: unknown): readonly AuditLine[] {
  return typeof told === "object" && told !== null && "records" in told && Array.isArray(told.records)
    ? (told.records as readonly AuditLine[])
    : [];
}

const KEYS = [
  ["H", "hold what leaves, and be asked about each"],
  ["I", "hold what comes in"],
  ["P", "pause your agent, and let it go on"],
  ["E", "end the tunnel, or leave it"],
  ["A", "go to what waits for you"],
  ["S", "say something"],
  ["L", "go to the log"],
  ["?", "this list"],
] as const;

function Help() {
  return (
    <Modal title="Keys">
      <dl class="keys">
        {KEYS.filter(([key]) => !observing.value || key === "L" || key === "?").map(([key, what]) => (
          <>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </>
        ))}
      </dl>
      <p class="hint">They work outside of text fields. No single key ever says yes.</p>
      <div class="row">
        <button type="button" class="btn main" autoFocus onClick={close}>
          Close
        </button>
      </div>
    </Modal>
  );
}
