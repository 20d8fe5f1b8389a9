import { isIP } from "node:net";
import path from "node:path";
import { parseServers, type ClusterServers } from "../cluster/nats/servers.ts";
import { trustedProxies } from "../front/sources.ts";

/** How the text of an option becomes its value. */
export interface OptionKind<T> {
  /** To follow "must be". */
  readonly accepted: string;
  /** Undefined where the text is not accepted. */
  readonly parse: (text: string) => T | undefined;
  /** May be given more than once; the texts are joined by commas. */
  readonly isList?: true;
  /** A flag without a value. */
  readonly isSwitch?: true;
}

export interface Listen {
  readonly host: string;
  readonly port: number;
}

export const LISTEN: OptionKind<Listen> = {
  accepted: "HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080",
  parse(text) {
    const [, bracketed, bare, digits = ""] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
    const host = bracketed ?? bare;
    const port = Number(digits);
    if (host === undefined || digits === "" || port > 65_535) return undefined;
    if (host === "" || host === "*") return { host: "0.0.0.0", port };
    if (host === "localhost") return { host: "127.0.0.1", port };
    return isIP(host) === 0 ? undefined : { host, port };
  },
};

/** Where other nodes find one: an address of its own, since all of them would take nobody there. */
export const NODE_ADDRESS: OptionKind<Listen> = {
  accepted: "HOST:PORT at which other nodes reach this one, such as 10.0.0.7:7400 or relay-1:7400",
  parse(text) {
    const [, bracketed, bare, digits = ""] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
    const port = Number(digits);
    const host = bracketed ?? bare?.toLowerCase();
    if (host === undefined || port > 65_535) return undefined;
    if (isIP(host) !== 0) return /^(?:0\.0\.0\.0|[0:]+)$/.test(host) ? undefined : { host, port };
    return bracketed === undefined && /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(host)
      ? { host: host === "localhost" ? "127.0.0.1" : host, port }
      : undefined;
  },
};

export const CLUSTER_SERVERS: OptionKind<ClusterServers> = {
  accepted: "nats://HOST:PORT of each server with commas between them, or tls:// of all",
  isList: true,
  parse: parseServers,
};

export const SWITCH: OptionKind<boolean> = {
  accepted: "yes or no",
  isSwitch: true,
  parse: (text) => {
    if (["", "1", "yes", "true", "on"].includes(text.toLowerCase())) return true;
    return ["0", "no", "false", "off"].includes(text.toLowerCase()) ? false : undefined;
  },
};

export const TEXT: OptionKind<string> = { accepted: "some text", parse: (text) => text || undefined };

export const PATH: OptionKind<string> = {
  accepted: "a path",
  parse: (text) => (text === "" ? undefined : path.resolve(text)),
};

/** A name of DNS of at least one label, in lower case. */
export const DOMAIN: OptionKind<string> = {
  accepted: "a domain, such as tunnel.example.com",
  parse(text) {
    const name = text.toLowerCase().replace(/\.$/, "");
    const isName = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(
      name,
    );
    return isName && isIP(name) === 0 && name.length <= 189 ? name : undefined;
  },
};

export const HTTP_URL: OptionKind<URL> = {
  accepted: "an http or https address",
  parse(text) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isGood =
      url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.hash === "";
    return isGood ? url : undefined;
  },
};

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export const PORTS: OptionKind<PortRange> = {
  accepted: "FIRST-LAST, such as 20000-20099",
  parse(text) {
    const [, one = "", other = one] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
    const [first, last] = [Number(one), Number(other)];
    return one !== "" && first >= 1 && first <= last && last <= 65_535 ? { first, last } : undefined;
  },
};

export const RANGES: OptionKind<readonly string[]> = {
  accepted: "addresses or ranges, such as 10.0.0.0/8, ::1 or loopback, with commas between them",
  isList: true,
  parse(text) {
    const ranges = text
      .split(",")
      .map((range) => range.trim())
      .filter((range) => range !== "");
    return trustedProxies(ranges) === undefined ? undefined : ranges;
  },
};

export function count(min: number, max: number): OptionKind<number> {
  return {
    accepted: `a whole number from ${min} to ${max}`,
    parse(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}
