import {
  connect,
  performServerHandshake,
  type ClientHttp2Session,
  type Http2Session,
  type ServerHttp2Session,
} from "node:http2";
import type { Line } from "./line.ts";

/** Bytes of one stream, and of all streams of a line together, that may be under way unread. */
const STREAM_WINDOW = 1024 * 1024;
const LINE_WINDOW = 16 * 1024 * 1024;
/** Megabytes that a session may take before streams are refused. */
const SESSION_MEMORY = 32;

/** The relay's end: opens streams. Called once the host is ready, or the preface is lost. */
export function openStreams(line: Line, onEnd: () => void): ClientHttp2Session {
  const { stream } = line;
  const session = connect("http://host.invalid", {
    createConnection: () => stream,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    maxSessionMemory: SESSION_MEMORY,
  });
  session.on("connect", () => session.setLocalWindowSize(LINE_WINDOW));
  // A host that takes no more streams has no use of its line.
  session.once("goaway", () => line.terminate());
  tied(session, line, onEnd);
  return session;
}

/** The host's end: takes streams. Called before the relay can send its first byte. */
export function takeStreams(line: Line, maxStreams: number): ServerHttp2Session {
  const session = performServerHandshake(line.stream, {
    settings: {
      initialWindowSize: STREAM_WINDOW,
      maxConcurrentStreams: maxStreams,
      // For WebSockets and bare connections alike CONNECT is enough.
      enableConnectProtocol: false,
    },
    maxSessionMemory: SESSION_MEMORY,
  });
  session.setLocalWindowSize(LINE_WINDOW);
  tied(session, line, () => undefined);
  return session;
}

/** A session that outlives its stream under writes ends the process with an assertion of Node's own. */
function tied(session: Http2Session, line: Line, onEnd: () => void): void {
  const { stream } = line;
  const end = (): void => {
    if (!session.destroyed) session.destroy();
  };
  stream.once("close", end);
  stream.once("end", end);
  // An error is told to the streams as well; the line ends either way.
  session.on("error", () => line.terminate());
  session.once("close", () => {
    line.terminate();
    onEnd();
  });
}
