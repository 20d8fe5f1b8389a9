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
  const urls = text.split(",").map((part) => parsedUrl(part.trim()));
  const addresses: string[] = [];
  let login: ClusterServers["login"] | undefined;
  const protocol = urls[0]?.protocol;
  for (const url of urls) {
    if (url === undefined || url.protocol !== protocol) return undefined;
    addresses.push(`${url.hostname}:${url.port === "" ? PORT : url.port}`);
    if (url.username === "" || login !== undefined) continue;
    login = loginOf(url);
    if (login === undefined) return undefined;
  }
  return { addresses, login: login ?? {}, tls: protocol === "tls:" };
}

function parsedUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(?:nats|tls):$/.test(url.protocol) || url.hostname === "") return undefined;
  return ["", "/"].includes(url.pathname) && url.search === "" ? url : undefined;
}

function loginOf({ username, password }: URL): ClusterServers["login"] | undefined {
  const [user, pass] = [decoded(username), decoded(password)];
  if (user === undefined || pass === undefined) return undefined;
  return pass === "" ? { token: user } : { user, pass };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
