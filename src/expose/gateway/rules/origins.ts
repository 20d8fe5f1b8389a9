import type { Upstream } from "../../upstream.ts";

/** The public address and the local one, each in place of the other where a field names it. Bodies are never changed. */
export class Origins {
  readonly public: URL;
  /** The name that the service takes for its own. */
  readonly host: string;
  readonly #local: string;
  /** Authorities under which the service may name itself, in lower case. */
  readonly #localAuthorities: ReadonlySet<string>;

  constructor(publicOrigin: URL, upstream: Upstream, hostHeader: string | undefined) {
    this.public = publicOrigin;
    this.host = hostHeader ?? upstream.host;
    this.#local = `${upstream.scheme}://${this.host}`;
    const { address, port } = upstream;
    const names = ["localhost", "127.0.0.1", "[::1]", address.includes(":") ? `[${address}]` : address];
    const authorities = [this.host, upstream.host, ...names.map((name) => `${name}:${port}`)];
    const isUsual = port === (upstream.scheme === "https" ? 443 : 80);
    this.#localAuthorities = new Set(
      [...authorities, ...(isUsual ? names : [])].map((one) => one.toLowerCase()),
    );
  }

  /** `Origin`: only one that is exactly ours becomes the service's. */
  toLocalOrigin(value: string): string {
    return value === this.public.origin ? this.#local : value;
  }

  /** `Referer`. */
  toLocalUrl(value: string): string {
    const { origin } = this.public;
    if (!value.startsWith(origin)) return value;
    const rest = value.slice(origin.length);
    return rest === "" || rest.startsWith("/") || rest.startsWith("?") ? `${this.#local}${rest}` : value;
  }

  /** `Location`: a URL that names the service on this machine names the public address; all others stay as they are. */
  toPublicUrl(value: string): string {
    const parts = /^((?:https?:)?\/\/)([^/?#]*)(.*)$/is.exec(value);
    if (parts === null) return value;
    const [, scheme = "", authority = "", rest = ""] = parts;
    if (!this.#localAuthorities.has(authority.toLowerCase())) return value;
    return scheme === "//" ? `//${this.public.host}${rest}` : `${this.public.origin}${rest}`;
  }
}
