import { hostForUrl } from "../../net/address.ts";
import type { ClaimKind } from "../../uplink/messages.ts";

/** Where the relay is reached from outside: its own name, with scheme and port. */
export interface PublicAddress {
  readonly base: URL;
  /** Of TCP ports, where that is another host. */
  readonly tcpHost: string | undefined;
}

interface Addressed {
  readonly kind: ClaimKind;
  readonly name: string;
  /** NAME.DOMAIN, of a service. */
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** The whole address of a tunnel. That of a room lets nobody in: the keys are in the part of its link that no relay sees. */
export function addressOf({ kind, name, host, port }: Addressed, { base, tcpHost }: PublicAddress): string {
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
