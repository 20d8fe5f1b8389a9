import { readFileSync } from "node:fs";
import path from "node:path";
import { createSecureContext } from "node:tls";

/** Files in the folder of `--node-tls`: the authority of the cluster alone, and this node's certificate and key. */
export const NODE_TLS_FILES = { ca: "ca.pem", cert: "node.pem", key: "node-key.pem" } as const;

/** For both ends of a connection. */
export interface NodeTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: "TLSv1.3";
}

/**
 * Trusts nobody but the cluster's own authority, in both directions.
 * @throws {Error} a file cannot be read, or is no such thing
 */
export function nodeTls(folder: string): NodeTls {
  const file = (name: keyof typeof NODE_TLS_FILES): Buffer =>
    readFileSync(path.join(folder, NODE_TLS_FILES[name]));
  const found: NodeTls = { ca: file("ca"), cert: file("cert"), key: file("key"), minVersion: "TLSv1.3" };
  createSecureContext({ ...found });
  return found;
}
