/**
 * A client program made with the SDK's old line: node sdk-1.mjs FOLDER-OF-THE-SDK URL. It prints the page to sign in on, reads from
 * standard input where that led to, and prints the names of the server's tools.
 */
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , folder, url] = process.argv;
const sdk = (file) => import(pathToFileURL(path.join(folder, "dist", "esm", "client", file)).href);
const { Client } = await sdk("index.js");
const { StreamableHTTPClientTransport } = await sdk("streamableHttp.js");
const { UnauthorizedError } = await sdk("auth.js");

const kept = {};
const redirectUrl = "http://127.0.0.1:33418/callback";
const authProvider = {
  redirectUrl,
  clientMetadata: { client_name: "An old program", redirect_uris: [redirectUrl] },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  redirectToAuthorization: (page) => void process.stdout.write(`${page}\n`),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
};

const connection = () => new StreamableHTTPClientTransport(new URL(url), { authProvider });
const first = connection();
try {
  await new Client({ name: "old", version: "1" }).connect(first);
} catch (error) {
  if (!(error instanceof UnauthorizedError)) throw error;
}
const lines = createInterface({ input: process.stdin });
const [callback] = await once(lines, "line");
await first.finishAuth(new URL(callback).searchParams.get("code"));
const client = new Client({ name: "old", version: "1" });
await client.connect(connection());
const { tools } = await client.listTools();
process.stdout.write(`${JSON.stringify(tools.map(({ name }) => name))}\n`);
await client.close();
process.exit(0);
