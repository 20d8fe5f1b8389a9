import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { lstat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { TunnelError } from "../../../errors/tunnel-error.ts";
import type { Upstream } from "../../upstream.ts";
import { answerFor, type FileAnswer } from "./answer.ts";
import { locate, type FolderRules, type LocatedFile } from "./locate.ts";

/** A folder behind a server of ours. */
export interface ServedFolder {
  readonly upstream: Upstream;
  /** Without symbolic links. */
  readonly path: string;
  /** Sentences for whoever exposes it. */
  readonly warnings: readonly string[];
  /** Resolves when the port is free. Idempotent. */
  close(): Promise<void>;
}

/** The name of the field by which the server knows the gateway: every other program of this machine can reach its port. */
const SECRET_FIELD = "x-tunnel-folder";
const SECRET_BYTES = 32;
/** The gateway adds to what a visitor may send. */
const MAX_HEAD_BYTES = 64 * 1024;

/**
 * Serves the files of a folder on a loopback port, to nobody but those who know the secret of `upstream`. No listings, no dotfiles,
 * nothing that leads out of the folder, and no file whose name says that it holds secrets.
 * @throws {TunnelError} expose-folder-refused, path-invalid, root-missing, working-directory-gone
 */
export async function serveFolder(typed: string, rules: FolderRules): Promise<ServedFolder> {
  const root = await rules.folder(typed);
  const warnings = await warningsFor(root);
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  const knows = secretCheck(secret);
  const isSecret = (file: string): boolean => rules.secretName(file) !== undefined;
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, (request, response) => {
    if (!knows(request.headers[SECRET_FIELD])) return end(response, 404);
    serve(request, response, root, isSecret).catch(() => fail(response));
  });
  const port = await listening(server);
  let closing: Promise<void> | undefined;
  return {
    upstream: {
      scheme: "http",
      address: "127.0.0.1",
      port,
      host: `localhost:${port}`,
      secretField: [SECRET_FIELD, secret],
    },
    path: root,
    warnings,
    close: () => (closing ??= closed(server)),
  };
}

function secretCheck(secret: string): (given: unknown) => boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  const right = hash(secret);
  return (given) => typeof given === "string" && timingSafeEqual(hash(given), right);
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  root: string,
  isSecret: (file: string) => boolean,
): Promise<void> {
  const { method, url = "" } = request;
  if (method !== "GET" && method !== "HEAD") return end(response, 405, { allow: "GET, HEAD" });
  const [, pathname = "", query = ""] = /^([^?]*)(.*)$/s.exec(url) ?? [];
  const found = await locate(root, pathname, isSecret);
  if (found.kind === "none") return end(response, 404);
  if (found.kind === "folder")
    return end(response, 301, { location: `${pathname}/${query}`, "cache-control": "no-cache" });
  try {
    await send(response, found, answerFor(request.headers, representationOf(found)), method === "HEAD");
  } finally {
    await found.handle.close();
  }
}

function representationOf({ stats, name }: LocatedFile): Parameters<typeof answerFor>[1] {
  const { ino, size, mtimeNs, mtimeMs } = stats;
  const etag = `"${[ino, size, mtimeNs].map((one) => one.toString(36)).join("-")}"`;
  return { name, size: Number(size), mtimeMs: Number(mtimeMs), etag };
}

async function send(
  response: ServerResponse,
  { handle }: LocatedFile,
  { status, fields, part }: FileAnswer,
  isHead: boolean,
): Promise<void> {
  if (status === 412 || status === 416) return end(response, status, fields);
  response.writeHead(status, fields);
  const length = part === undefined ? 0 : part.last - part.first + 1;
  if (part === undefined || isHead || length === 0) {
    response.end();
    return;
  }
  const file = handle.createReadStream({ start: part.first, end: part.last, autoClose: false });
  await pipeline(file, response, { end: false });
  // The file has become shorter meanwhile: an end as if it were whole would be taken for one (RFC 9112 §8).
  if (file.bytesRead < length) response.destroy();
  else response.end();
}

const TEXT: Readonly<Record<number, string>> = {
  301: "See the address with a slash at the end.\n",
  404: "Not found.\n",
  405: "Only GET and HEAD.\n",
  412: "The file has changed.\n",
  416: "The file has no such part.\n",
  500: "The file could not be read.\n",
};

function end(response: ServerResponse, status: number, fields: Readonly<Record<string, string>> = {}): void {
  const body = TEXT[status] ?? "";
  response.writeHead(status, {
    "content-type": "text/plain;charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    ...fields,
  });
  response.end(body);
}

function fail(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else end(response, 500);
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new TunnelError("internal", { cause: error })));
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve(address.port);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** A folder of sources is seldom what was meant. */
async function warningsFor(root: string): Promise<readonly string[]> {
  const isProject = (
    await Promise.all(
      [".git", "package.json"].map((name) => lstat(path.join(root, name)).catch(() => undefined)),
    )
  ).some((found) => found !== undefined);
  return isProject
    ? [
        "This is the folder of a project: its source files can be fetched. A folder such as ./dist holds only what is built.",
      ]
    : [];
}
