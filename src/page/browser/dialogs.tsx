import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { PageTold } from "../model.ts";
import { act, asked, end } from "./act.ts";
import { dialog, observing, type Tunnel } from "./store.ts";
import { Diff, Raw } from "./text.tsx";
import { clock } from "./words.ts";

const close = (): void => void (dialog.value = undefined);

export function Dialogs({ tunnel }: { readonly tunnel: Tunnel | undefined }) {
  const open = dialog.value;
  if (open === undefined) return null;
  if (open.name === "help") return <Help />;
  if (open.name === "look") return <Look title={open.title} told={open.told} />;
  if (tunnel === undefined) return null;
  const { server, view } = tunnel;
  switch (open.name) {
    case "audit":
      return <Audit tunnel={tunnel} />;
    case "end": {
      const what = view.isHost ? "End the tunnel for everybody" : "Leave the tunnel";
      return (
        <Sure title={`${what}?`} yes={what} go={() => end(tunnel)}>
          <p>{`“${view.goal}”. What waits for you is not sent. The transcript stays with the agents.`}</p>
        </Sure>
      );
    }
    case "kick": {
      const { member, label } = open;
      const command = { do: "kick", tunnelId: view.tunnelId, name: member } as const;
      return (
        <Sure
          title={`Remove ${label}?`}
          yes={`Remove ${label}`}
          go={() => act(server, command, `${label} was removed.`)}
        >
          <p>They are out at once, and come back only with a new invite.</p>
        </Sure>
      );
    }
  }
}

interface ModalProps {
  readonly title: string;
  readonly isWide?: boolean;
  readonly children: ComponentChildren;
}

function Modal({ title, isWide, children }: ModalProps) {
  const box = useRef<HTMLDialogElement>(null);
  // At once: the next key is meant for it.
  useLayoutEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} class={isWide === true ? "wide" : ""} aria-labelledby="dialog-title" onClose={close}>
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}

function Close() {
  return (
    <div class="row">
      <button type="button" class="btn main" autoFocus onClick={close}>
        Close
      </button>
    </div>
  );
}

interface SureProps {
  readonly title: string;
  readonly yes: string;
  readonly go: () => Promise<unknown>;
  readonly children: ComponentChildren;
}

/** Something that cannot be taken back: the way out has the focus. */
function Sure({ title, yes, go, children }: SureProps) {
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

/** @returns the answer, or why there is none; undefined while it is on its way */
function useTold(ask: () => Promise<PageTold | string>): PageTold | string | undefined {
  const [told, setTold] = useState<PageTold | string | undefined>(undefined);
  useEffect(() => void ask().then(setTold), []);
  return told;
}

function Audit({ tunnel: { server, view } }: { readonly tunnel: Tunnel }) {
  const told = useTold(() => asked(server, { do: "audit", tunnelId: view.tunnelId }));
  const lines = typeof told === "object" && told.told === "audit" ? told.records : [];
  return (
    <Modal title="What was asked and decided">
      {lines.length > 0 ? (
        <ol class="audit" tabIndex={0}>
          {lines.map(({ ts, text }) => (
            <li>
              <time dateTime={ts}>{clock(ts)}</time>
              <span>{text}</span>
            </li>
          ))}
        </ol>
      ) : (
        <p>{told === undefined ? "…" : typeof told === "string" ? told : "Nothing yet."}</p>
      )}
      <p class="hint">
        It is signed and kept with the transcript: tunnel-mcp export shows it, and tunnel-mcp verify notices a
        change.
      </p>
      <Close />
    </Modal>
  );
}

interface LookProps {
  readonly title: string;
  readonly told: Promise<PageTold | string>;
}

function Look({ title, told: coming }: LookProps) {
  const told = useTold(() => coming);
  const [isRaw, setRaw] = useState(false);
  const content = typeof told === "object" && told.told === "look" ? told : undefined;
  return (
    <Modal title={title} isWide>
      {content === undefined ? (
        <p>{typeof told === "string" ? told : "…"}</p>
      ) : content.isPatch && !isRaw ? (
        <Diff text={content.text} />
      ) : (
        <pre class="raw" tabIndex={0}>
          <Raw text={content.text} />
        </pre>
      )}
      {content === undefined ? null : (
        <p class="hint">{`${content.isWhole ? "" : "This is its beginning. "}Secrets are masked.`}</p>
      )}
      {content?.isPatch === true ? (
        <label>
          <input type="checkbox" checked={isRaw} onChange={(event) => setRaw(event.currentTarget.checked)} />
          as it was written
        </label>
      ) : null}
      <Close />
    </Modal>
  );
}

const KEYS = [
  ["H", "hold what leaves, and be asked about each"],
  ["I", "hold what comes in"],
  ["P", "pause your agent, and let it go on"],
  ["E", "end the tunnel, or leave it"],
  ["A", "go to what waits for you"],
  ["S", "say something"],
  ["L", "go to the log"],
  ["?", "these keys"],
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
      <Close />
    </Modal>
  );
}
