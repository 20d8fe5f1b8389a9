import { signal } from "@preact/signals";
import type { NewCommand } from "../../watch/client.ts";
import { send } from "./link.ts";
import { chosen, type Tunnel } from "./store.ts";

/** The last word about something that was done, for the eye and for screen readers. */
export const word = signal<{ readonly text: string; readonly isBad: boolean } | undefined>(undefined);
let forget: ReturnType<typeof setTimeout> | undefined;
const SHOWN_MS = 6_000;

export function say(text: string, isBad = false): void {
  clearTimeout(forget);
  word.value = { text, isBad };
  forget = setTimeout(() => (word.value = undefined), isBad ? SHOWN_MS * 2 : SHOWN_MS);
}

/** Does it, and says so. @returns whether it was done */
export async function act(server: string, command: NewCommand, done: string): Promise<boolean> {
  const answer = await send(server, command);
  if (answer.ok) say(done);
  else say(`Not done: ${answer.message}. ${answer.next}`, true);
  return answer.ok;
}

const isHeld = ({ view }: Tunnel, gate: "hold-out" | "hold-in"): boolean =>
  view.oversight.gates.includes(gate);

/** Begins to hold, or stops. The two directions are held apart, and the server knows only how to stop both. */
export async function toggleHold(tunnel: Tunnel, mode: "out" | "in"): Promise<void> {
  const { tunnelId } = tunnel.view;
  const other = mode === "out" ? "in" : "out";
  if (!isHeld(tunnel, `hold-${mode}`)) {
    await act(
      tunnel.server,
      { do: "hold", tunnelId, mode },
      mode === "out"
        ? "You are asked about each message that leaves."
        : "You are asked about each message that comes in.",
    );
    return;
  }
  const isDone = await act(tunnel.server, { do: "hold", tunnelId, mode: "off" }, "Messages flow again.");
  if (isDone && isHeld(tunnel, `hold-${other}`))
    await act(
      tunnel.server,
      { do: "hold", tunnelId, mode: other },
      `What ${other === "out" ? "leaves" : "comes in"} is still held.`,
    );
}

export async function togglePause({ server, view }: Tunnel): Promise<void> {
  const isPaused = view.oversight.paused;
  await act(
    server,
    { do: isPaused ? "resume" : "pause", tunnelId: view.tunnelId },
    isPaused ? "Your agent goes on." : "Your agent is paused.",
  );
}

export async function end({ server, view, key }: Tunnel): Promise<void> {
  if (
    await act(
      server,
      { do: "end", tunnelId: view.tunnelId },
      view.role === "host" ? "The tunnel is over." : "You have left the tunnel.",
    )
  )
    if (chosen.value === key) chosen.value = undefined;
}
