import { useEffect, useState } from "preact/hooks";
import { act } from "./act.ts";
import type { Tunnel } from "./store.ts";

/** A text that was begun is there again after the page was loaded anew; it lives in this tab, as the token does. */
const draftOf = (key: string): string => sessionStorage.getItem(`draft ${key}`) ?? "";

/** Speaks as this person. Nothing that is typed here ever decides anything. */
export function Composer({ tunnel }: { readonly tunnel: Tunnel }) {
  const { key, server, view } = tunnel;
  const [text, setText] = useState("");
  const [to, setTo] = useState("");
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    setText(draftOf(key));
    setTo("");
  }, [key]);
  const change = (typed: string): void => {
    setText(typed);
    sessionStorage.setItem(`draft ${key}`, typed);
  };
  const others = view.members.filter(({ isOwn, isObserver }) => !isOwn && !isObserver);
  const go = async (): Promise<void> => {
    if (text.trim() === "" || isBusy) return;
    setBusy(true);
    const whom = to === "" ? {} : { to: [to] };
    const command = { do: "say", tunnelId: view.tunnelId, text, ...whom } as const;
    if (await act(server, command, "Said, as a human.")) change("");
    setBusy(false);
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void go();
      }}
    >
      <textarea
        id="composer"
        rows={text.includes("\n") ? 4 : 1}
        value={text}
        dir="auto"
        placeholder="Say something, as a human"
        aria-label="Say something as yourself"
        onInput={(event) => change(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          void go();
        }}
      />
      {others.length < 2 ? null : (
        <select aria-label="To whom" value={to} onChange={(event) => setTo(event.currentTarget.value)}>
          <option value="">to all</option>
          {others.map((one) => (
            <option key={one.id} value={one.id}>{`to ${one.name} alone`}</option>
          ))}
        </select>
      )}
      <button type="submit" class="btn main" disabled={isBusy || text.trim() === ""}>
        Say
      </button>
    </form>
  );
}
