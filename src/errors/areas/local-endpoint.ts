import type { ErrorArea } from "../base/entry.ts";

/** The endpoint on which a running server answers this user's commands. */
export const LOCAL_ENDPOINT = {
  "no-server": {
    message: "no tunnel-mcp server of this user has a tunnel here",
    next: "Open or join a tunnel (tunnel_open, tunnel_join), then run the command again, as the same user on the same machine.",
    nextForPerson:
      "Have an agent on this machine open or join a tunnel, then run the command again, as the same user.",
    retryable: true,
  },
  "server-ambiguous": {
    message: "it is unclear which tunnel is meant",
    next: "Run the command again with --tunnel and one of the listed tunnels.",
    retryable: false,
  },
  "control-failed": {
    message: "the running server does not answer on its local endpoint",
    next: "Try again. If it keeps failing, call tunnel_listen instead.",
    nextForPerson: "Try again. If it keeps failing, look into the client that runs the server.",
    retryable: true,
  },
  "private-folder-unusable": {
    message: "no folder can be made in which other commands of this user find this server",
    next: "Go on with tunnel_listen: only the command that wakes you, and exporting from a terminal, do not work. It is tried again by itself. Your human can free disk space, or make the folder in XDG_RUNTIME_DIR or TMPDIR (LOCALAPPDATA on Windows) writable.",
    nextForPerson:
      "Free disk space, or make the folder in XDG_RUNTIME_DIR or TMPDIR (LOCALAPPDATA on Windows) writable. It is tried again by itself.",
    retryable: true,
  },
} as const satisfies ErrorArea;
