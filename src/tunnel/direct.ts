import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";
import { addressKind, hostForUrl } from "../net/address.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import { declareProvider, type Tunnel, type TunnelOpener } from "./provider.ts";
import { throwIfCancelled } from "./wait.ts";

export interface DirectOptions {
  /** Config.bind: the address the port listens on. */
  readonly bind: string;
  /** Config.publicUrl: the origin that the user has put in front of the port. */
  readonly publicUrl?: string | undefined;
  readonly interfaces?: () => Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>;
}

/** The port itself, on an address that the user binds. */
export const direct = declareProvider<DirectOptions>({
  title: "this machine's own address",
  advice: "at TUNNEL_BIND or TUNNEL_PUBLIC_URL",
  // The address may be one that others dial.
  dialsLoopbackOnly: false,
  // Nobody stands in front who could vouch for a header.
  sourceHeader: undefined,
  // The port itself, or the user's own address in front of it, cannot be had twice.
  canHaveSpare: false,
  keepsAddress: true,
  load: (options) => Promise.resolve(createDirectOpener(options)),
});

/** The port itself, or a public URL that the user has put in front of it. Nothing is started, so nothing can be lost. */
export function createDirectOpener(options: DirectOptions): TunnelOpener {
  return ({ port, signal }) =>
    new Promise((resolve) => {
      throwIfCancelled(signal);
      resolve(directTunnel(options, port));
    });
}

function directTunnel(
  { bind, publicUrl, interfaces = networkInterfaces }: DirectOptions,
  port: number,
): Tunnel {
  const url =
    publicUrl === undefined
      ? `ws://${hostForUrl(dialable(bind, interfaces()))}:${port}`
      : publicOrigin(publicUrl);
  return {
    url,
    description:
      publicUrl === undefined ? "direct connection, no tunnel program" : "public address set up by the user",
    health: () => ({ state: "up" }),
    onDown: () => () => undefined,
    stop: () => Promise.resolve(),
  };
}

const SCHEMES: Readonly<Record<string, string>> = {
  "ws:": "ws:",
  "wss:": "wss:",
  "http:": "ws:",
  "https:": "wss:",
};

/**
 * A URL of the user as the origin of a link.
 * @throws {TunnelError} config-invalid, unless it is a ws or http origin and nothing more
 */
export function publicOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url === undefined ? undefined : SCHEMES[url.protocol];
  const bare = url !== undefined && /^[a-z]+:\/\/[^/?#@\\\s]+\/?$/i.test(text);
  if (url === undefined || scheme === undefined || !bare) {
    throw new TunnelError("config-invalid", {
      detail: "TUNNEL_PUBLIC_URL must be wss://HOST or ws://HOST, with an optional port and nothing after it",
    });
  }
  return `${scheme}//${url.host}`;
}

/** The bound address in a form that others can dial. For "all addresses": the first one that leads off this machine. */
function dialable(
  bind: string,
  interfaces: Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>,
): string {
  if (addressKind(bind) !== "unspecified") return bind;
  const known = Object.values(interfaces).flatMap((one) => one ?? []);
  const suitable = known.filter(({ address }) => ["private", "public"].includes(addressKind(address) ?? ""));
  const chosen =
    suitable.find(({ family }) => family === "IPv4") ?? (bind === "0.0.0.0" ? undefined : suitable[0]);
  return chosen?.address ?? (bind === "0.0.0.0" ? "127.0.0.1" : "::1");
}
