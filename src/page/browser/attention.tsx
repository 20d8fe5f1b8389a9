import { effect, signal } from "./signal.ts";
import { isCaughtUp, shownTunnel, waiting } from "./store.ts";

/** Whether this person has let the page call them; asked for on their press alone. */
const mayCall = signal("Notification" in window ? Notification.permission : "denied");

/** Offers to call this person while the page is not in front. */
export function Attention() {
  if (mayCall.value !== "default") return null;
  const ask = (): void => void Notification.requestPermission().then((answer) => (mayCall.value = answer));
  return (
    <p class="calm call">
      <button type="button" class="more" onClick={ask}>
        Notify me when something waits
      </button>
      It never says what.
    </p>
  );
}

/** How many wait, where it is seen from another tab as well. */
export function attend(): void {
  let before = 0;
  effect(() => {
    const count = waiting();
    const tunnel = shownTunnel();
    const what = tunnel === undefined ? "tunnel-mcp" : `${tunnel.view.goal.slice(0, 60)} · tunnel-mcp`;
    document.title = count === 0 ? what : `(${count}) ${what}`;
    const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    const wanted = count === 0 ? "/icon.svg" : "/icon-waiting.svg";
    if (icon !== null && icon.getAttribute("href") !== wanted) icon.href = wanted;
    if (count > before && isCaughtUp.value && document.hidden && mayCall.value === "granted") call();
    before = count;
  });
}

/** Without a word of anybody: who looks over a shoulder, or at a locked screen, learns nothing. */
function call(): void {
  const shown = new Notification("tunnel-mcp", {
    body: "Something waits for you.",
    tag: "ask",
    icon: "/icon.svg",
  });
  shown.addEventListener("click", () => {
    window.focus();
    shown.close();
  });
}
