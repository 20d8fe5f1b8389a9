import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../../runtime/clock.ts";
import { SOURCE_FIELD } from "../../uplink/limits.ts";
import { splice } from "../../uplink/line/splice.ts";

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes that came behind the request. */
  readonly head: Buffer;
  /** The visitor; undefined for a host. */
  readonly source: string | undefined;
}

/**
 * Carries an upgrade to the node at which its host is, as bytes from the head on. That node counts the visitor and tells of it.
 * @param open holds what cuts it, as long as it lasts
 */
export function passOn(connection: Duplex, upgrade: Upgrade, clock: Clock, open: Set<() => void>): void {
  const { request, socket, head, source } = upgrade;
  socket.on("error", () => socket.destroy());
  connection.write(Buffer.concat([Buffer.from(wholeHead(request, source), "latin1"), head]));
  const cut = splice(socket, connection, {
    clock,
    throttle: undefined,
    onEnd: () => void open.delete(cut),
  });
  open.add(cut);
}

/** As it came; only who the visitor is stands in a field of ours. */
function wholeHead({ method = "GET", url = "", rawHeaders }: IncomingMessage, source?: string): string {
  let text = `${method} ${url} HTTP/1.1\r\n`;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.toLowerCase() !== SOURCE_FIELD) text += `${name}: ${rawHeaders[index + 1] ?? ""}\r\n`;
  }
  return `${text}${source === undefined ? "" : `${SOURCE_FIELD}: ${source}\r\n`}\r\n`;
}
