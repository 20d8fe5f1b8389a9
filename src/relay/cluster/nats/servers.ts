/** Where the engine is, and how a node logs in. */
export interface ClusterServers {
  /** HOST:PORT of each. */
  readonly addresses: readonly string[];
  readonly login: { readonly user?: string; readonly pass?: string; readonly token?: string };
  readonly tls: boolean;
}

const PORT = "4222";

/**
 * Reads `nats://HOST:PORT,…`, with `tls://` where the servers want it. A login stands before the first host, `USER:PASSWORD@` or
 * `TOKEN@`, and counts for all.
 * @returns undefined for anything else
 */
export function parseServers(text: string): ClusterServers | undefined {
  const urls = text.split(",").map((part) => part.trim());
  const parsed = urls.map((url) => (URL.canParse(url) ? new URL(url) : undefined));
  const addresses: string[] = [];
  let login: ClusterServers["login"] = {};
  for (const url of parsed) {
    if (url === undefined || !/^(?:nats|tls):$/.test(url.protocol) || url.hostname === "") return undefined;
    if (url.protocol !== parsed[0]?.protocol || !["", "/"].includes(url.pathname) || url.search !== "")
      return undefined;
    addresses.push(`${url.hostname}:${url.port === "" ? PORT : url.port}`);
    if (url.username === "" || "user" in login || "token" in login) continue;
    const [user, pass] = [decoded(url.username), decoded(url.password)];
    if (user === undefined || pass === undefined) return undefined;
    login = pass === "" ? { token: user } : { user, pass };
  }
  return { addresses, login, tls: parsed[0]?.protocol === "tls:" };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
