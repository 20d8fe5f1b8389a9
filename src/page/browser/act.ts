import type { NewCommand } from "../../watch/client.ts";
import type { PageTold, Stop } from "../model.ts";
import { send } from "./link.ts";
import { chosen, dialog, type Tunnel } from "./store.ts";
import { say } from "./word.ts";

/** Does it, and says so. @returns whether it was done */
export async function act(server: string, command: NewCommand, done: string): Promise<boolean> {
  const answer = await send(server, command);
  if (answer.ok) say(done);
  else say(`Not done: ${answer.message}. ${answer.next}`, true);
  return answer.ok;
}

export const stop = (server: string, { command, done }: Stop): void => void act(server, command, done);

/** @returns the answer, or why there is none */
export async function asked(server: string, command: NewCommand): Promise<PageTold | string> {
  const answer = await send(server, command);
  if (answer.ok) return answer.told ?? "";
  return `${answer.message}. ${answer.next}`;
}

/** Opens the content of a file. */
export function look(server: string, title: string, command: NewCommand): void {
  dialog.value = { name: "look", title, told: asked(server, command) };
}

/** Begins to hold, or stops. The two directions are held apart, and the server knows only how to stop both. */
export async function toggleHold({ server, view }: Tunnel, mode: "out" | "in"): Promise<void> {
  const { tunnelId, holdsIn, holdsOut } = view;
  const hold = (how: "out" | "in" | "off", done: string) =>
    act(server, { do: "hold", tunnelId, mode: how }, done);
  const [holds, other, holdsOther] =
    mode === "out" ? ([holdsOut, "in", holdsIn] as const) : ([holdsIn, "out", holdsOut] as const);
  if (!holds) {
    const way = mode === "out" ? "leaves" : "comes in";
    await hold(mode, `You are asked about each message that ${way}.`);
  } else if ((await hold("off", "Messages flow again.")) && holdsOther)
    await hold(other, `What ${other === "out" ? "leaves" : "comes in"} is still held.`);
}

export async function togglePause({ server, view }: Tunnel): Promise<void> {
  const { isPaused, tunnelId } = view;
  const done = isPaused ? "Your agent goes on." : "Your agent is paused.";
  await act(server, { do: isPaused ? "resume" : "pause", tunnelId }, done);
}

export async function end({ server, view, key }: Tunnel): Promise<void> {
  const done = view.isHost ? "The tunnel is over." : "You have left the tunnel.";
  if ((await act(server, { do: "end", tunnelId: view.tunnelId }, done)) && chosen.value === key)
    chosen.value = undefined;
}
