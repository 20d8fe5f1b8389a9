import { hostForUrl } from "../../net/address.ts";
import type { ClaimKind } from "../../uplink/messages.ts";

/** Where the relay is reached from outside: its own name, with scheme and port. */
export interface PublicAddress {
  /** As the operator has said. */
  readonly chosen: URL | undefined;
  /** As it listens: the last resort. */
  readonly listening: URL;
  /** Of TCP ports, where that is another host. */
  readonly tcpHost: string | undefined;
}

interface Addressed {
  readonly kind: ClaimKind;
  readonly name: string;
  /** The relay as the host has dialled it. */
  readonly dialled: string;
  /** NAME.DOMAIN, of a service. */
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** The whole address of a tunnel. That of a room lets nobody in: the keys are in the part of its link that no relay sees. */
export function addressOf(
  { kind, name, dialled, host, port }: Addressed,
  { chosen, listening, tcpHost }: PublicAddress,
): string {
  const base = chosen ?? originIn(dialled) ?? listening;
  const { protocol, port: ownPort } = base;
  const suffix = ownPort === "" ? "" : `:${ownPort}`;
  switch (kind) {
    case "room":
      return `${protocol === "https:" ? "wss" : "ws"}://${base.host}/t/${name}`;
    case "http":
      return `${protocol}//${host ?? name}${suffix}`;
    case "tcp":
      return `tcp://${tcpHost === undefined ? base.hostname : hostForUrl(tcpHost)}:${port ?? 0}`;
  }
}

/** What a host has dialled is mostly what visitors dial, too; it is shown only where it is a plain host and port. */
function originIn(dialled: string): URL | undefined {
  const isPlain = /^https?:\/\/(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i.test(dialled);
  return isPlain && URL.canParse(dialled) ? new URL(dialled) : undefined;
}

/** Where nobody has said how it is reached: as it listens. An address that stands for all of them is no place to go to. */
export function listeningAt(options: {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  readonly domain: string | undefined;
}): URL {
  const { scheme, host, port, domain } = options;
  const isAll = host === "0.0.0.0" || host === "::";
  return new URL(`${scheme}://${isAll ? (domain ?? "localhost") : hostForUrl(host)}:${port}`);
}
