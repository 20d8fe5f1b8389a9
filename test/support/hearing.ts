import { z } from "zod";
import { unfenced, type Agent, type Message, type Payload } from "./agent.ts";

/** What tests of rooms ask of an agent's `tunnel_listen`. */

/** What is there now, of every kind. */
export async function look(agent: Agent): Promise<Message[]> {
  return (await agent.call("tunnel_listen", { timeoutMs: 0 })).messages ?? [];
}

/** Everything up to the first batch with a message for which `isLast` holds. */
export async function hearUntil(agent: Agent, isLast: (message: Message) => boolean): Promise<Message[]> {
  const heard: Message[] = [];
  while (!heard.some(isLast)) {
    const { messages = [], ended } = await agent.call("tunnel_listen", { timeoutMs: 10_000 });
    heard.push(...messages);
    if (ended !== undefined && messages.length === 0) break;
  }
  return heard;
}

export const says =
  (text: string) =>
  (message: Message): boolean =>
    message.kind === "chat" && unfenced(message.text) === text;

export const happens =
  (event: string, name?: string) =>
  (message: Message): boolean =>
    message.event === event && message.memberName === name;

export const words = (messages: readonly Message[]): string[] =>
  messages.filter(({ kind }) => kind === "chat").map(({ text }) => unfenced(text));

export const names = ({ members = [] }: Payload): string[] => members.map(({ name }) => name);

export const linkOf = ({ invites = [] }: Payload, index = 0): string => invites[index]?.joinLink ?? "";

const selfSchema = z.object({ id: z.string(), name: z.string() });

/** How this side is called in the room, as tunnel_open and tunnel_join say. */
export const selfOf = (payload: Payload): z.infer<typeof selfSchema> => selfSchema.parse(payload["self"]);
