import { safeJson } from "../chat/terminal/safe-text.ts";
import type { Output } from "../io/output.ts";
import { keptView } from "../../watch/views.ts";
import type { Hearing, Server } from "../../watch/servers.ts";

/** Whatever shows the events. */
export interface Face extends Hearing {
  /** Resolves when the person has had enough. */
  readonly done: Promise<void>;
  readonly quit: () => void;
}

/** A promise, and the function that settles it. */
export function ending(): { readonly done: Promise<void>; readonly end: () => void } {
  let end = (): void => undefined;
  const done = new Promise<void>((resolve) => (end = resolve));
  return { done, end: () => end() };
}

/** Every event as a line of JSON, with the server that it comes from. It takes no decisions. */
export function jsonFace(output: Output): Face {
  const { done, end } = ending();
  const line = (server: Server, event: object): void =>
    output.out(`${safeJson({ server: server.name, ...event })}\n`);
  return {
    hear: (server, event) => line(server, event.t === "hello" ? { ...event, server: server.name } : event),
    gone: (server) => line(server, { t: "gone" }),
    isOther: (server, version) => line(server, { t: "other-version", version }),
    // Of no server: the programs of these have ended.
    kept: (tunnels) => output.out(`${safeJson({ t: "kept", tunnels: tunnels.map(keptView) })}\n`),
    done,
    quit: end,
  };
}
