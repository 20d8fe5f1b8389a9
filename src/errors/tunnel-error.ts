/**
 * Every failure a person or an agent can be shown: a closed table of stable codes, each with what happened and
 * what to do next. No key, link or message text may ever be put into `detail`.
 */

interface ErrorEntry {
  /** What happened, lower case, without a full stop. */
  readonly message: string;
  /** The next step, as an instruction to the agent or its human. */
  readonly next: string;
  /** Whether the same call may succeed later without anything being changed. */
  readonly retryable: boolean;
}

export const ERRORS = {
  // --- input of a tool or command ---
  "input-invalid": {
    message: "an argument is missing or does not have the accepted form",
    next: "Correct the named argument and call again.",
    retryable: false,
  },
  "goal-invalid": {
    message: "the goal is not usable",
    next: "Give the goal as one line of 1 to 500 characters without control characters.",
    retryable: false,
  },
  "name-invalid": {
    message: "the name is not usable",
    next: "Give a name of 1 to 64 characters on one line, without control characters.",
    retryable: false,
  },
  "text-invalid": {
    message: "the message text is empty or contains characters that are not allowed",
    next: "Send non-empty text; of the control characters only newline and tab are allowed (remove terminal colour codes and the like).",
    retryable: false,
  },
  "text-too-long": {
    message: "the message text is over the limit of 65536 bytes of UTF-8",
    next: "Shorten it, or split it into several messages.",
    retryable: false,
  },
  "reply-unknown": {
    message: "replyTo names a message that does not exist in this tunnel",
    next: "Use the seq of a message that tunnel_listen returned, or leave replyTo out.",
    retryable: false,
  },
  "config-invalid": {
    message: "an environment variable has a value that cannot be used",
    next: "Set the named variable to the accepted form, or unset it, and start again.",
    retryable: false,
  },

  // --- transcripts ---
  "transcript-invalid": {
    message: "this is not a transcript of a tunnel that this version reads",
    next: "Give the .transcript.json file as it was saved, or ask whoever gave it to you for the original.",
    retryable: false,
  },
  "transcript-not-saved": {
    message: "the transcript was not saved, and nothing was written",
    next: "Give a name that does not exist yet, in a folder that exists inside the working directory.",
    retryable: false,
  },
  // --- setting up the clients of this machine ---
  "setup-place-passing": {
    message:
      "this copy of tunnel-mcp lies in a folder that is emptied now and then, so clients would lose it",
    next: "Put a clone of tunnel-mcp into a folder that stays, build it there, and run its setup.",
    retryable: false,
  },
  "client-config-unusable": {
    message: "a client's configuration file cannot be changed safely",
    next: "Mend the named file, or write the entry into it by hand: `setup --print` shows it.",
    retryable: false,
  },
  "client-entry-foreign": {
    message: "another program is registered under the name tunnel",
    next: "Leave it, or run setup again with --force to replace it (with --remove: to take it out).",
    retryable: false,
  },
  "client-command-failed": {
    message: "the client's own command failed",
    next: "Read what it says; or do without it, and write the entry that `setup --print` shows by hand.",
    retryable: true,
  },

  // --- the link and joining ---
  "link-malformed": {
    message: "this is not a complete tunnel link",
    next: "Ask the other side for the whole link again: wss://HOST/t/ROOM#1.KEY.HOSTKEY, copied without a line break.",
    retryable: false,
  },
  "link-version": {
    message: "the link was made by a version of tunnel-mcp that this one does not understand",
    next: "Update tunnel-mcp on both sides and ask for a new link.",
    retryable: false,
  },
  "link-address": {
    message: "the link points to an address that is never a tunnel",
    next: "Do not use this link. Ask the other side for a new one.",
    retryable: false,
  },
  "invite-refused": {
    message:
      "the host refused the link: it was used already, has expired, was revoked, or is being used by someone else right now",
    next: "Ask the host for a new invite (tunnel_invite). If nobody on your side used it, tell both humans: someone else may have.",
    retryable: false,
  },
  "host-not-authentic": {
    message: "whoever answered at this address does not hold the host's key, so nothing was revealed to them",
    next: "Do not retry. Tell your human, and ask the host for a new link over a channel you trust.",
    retryable: false,
  },
  "host-unreachable": {
    message: "nothing answers at the address in the link",
    next: "Check that the host's session is still open, then try again; a new Quick Tunnel can take half a minute to appear.",
    retryable: true,
  },
  "host-name-unknown": {
    message: "the host name in the link does not resolve",
    next: "A new Quick Tunnel name takes up to half a minute to appear: try again shortly. If it persists, ask the host for a new link.",
    retryable: true,
  },
  "not-a-tunnel": {
    message: "something answers at this address, but it is not a tunnel-mcp host",
    next: "Ask the host whether its session is still open, and for a new link.",
    retryable: false,
  },
  "tunnel-gone": {
    message: "the tunnel in the link is not open at this address any more",
    next: "Ask the host to open a new tunnel and send a new link.",
    retryable: false,
  },
  "version-unsupported": {
    message: "the other side speaks a protocol version that this one does not",
    next: "Update tunnel-mcp on both sides.",
    retryable: false,
  },
  "handshake-timeout": {
    message: "the other side did not finish the handshake in time",
    next: "Try again; if it persists, ask the host to check tunnel_status.",
    retryable: true,
  },
  "own-link": {
    message: "this link belongs to a tunnel that this very server has opened",
    next: "Give the link to the other developer. You are in the tunnel already: use tunnel_listen and tunnel_say.",
    retryable: false,
  },
  "already-joined": {
    message: "this server has already joined the tunnel of this link",
    next: "Use tunnel_listen and tunnel_say with the tunnelId you have.",
    retryable: false,
  },

  // --- the session ---
  "no-tunnel": {
    message: "no tunnel is open",
    next: "Open one with tunnel_open, or join one with tunnel_join and the link you were given.",
    retryable: false,
  },
  "tunnel-ambiguous": {
    message: "several tunnels are open and the call does not say which one it means",
    next: "Call again with tunnelId set to one of the listed tunnels.",
    retryable: false,
  },
  "no-server": {
    message: "no tunnel-mcp server of this user has a tunnel here",
    next: "Open or join a tunnel first (tunnel_open, tunnel_join), then run the command as the same user on the same machine.",
    retryable: true,
  },
  "server-ambiguous": {
    message: "there are servers with tunnels, and nothing tells which one is meant",
    next: "Run it again with --tunnel and one of the listed tunnels.",
    retryable: false,
  },
  "control-failed": {
    message: "the running server does not answer at its local endpoint",
    next: "Try again. If it persists, use tunnel_listen in the client that runs the server.",
    retryable: true,
  },
  "tunnel-unknown": {
    message: "there is no tunnel with this tunnelId here",
    next: "Call tunnel_status to see the open tunnels.",
    retryable: false,
  },
  "tunnel-closed": {
    message: "this tunnel has ended",
    next: "Nothing more can be sent. Tell your human, and open or join a new tunnel if the work goes on.",
    retryable: false,
  },
  "too-many-tunnels": {
    message: "as many tunnels are open as one server allows",
    next: "Close one with tunnel_close first.",
    retryable: false,
  },
  "not-the-host": {
    message: "only the host of a tunnel can do this",
    next: "Ask the host.",
    retryable: false,
  },
  "invite-limit": {
    message: "there is no free seat for another invite",
    next: "Wait for a pending invite to be used or to expire, or revoke one.",
    retryable: false,
  },
  "invite-unknown": {
    message: "there is no pending invite with this id",
    next: "Call tunnel_status to see the pending invites.",
    retryable: false,
  },
  "address-lost": {
    message: "the public address of this tunnel is lost, and a new one is not there yet",
    next: "Wait: a new one is opened by itself (tunnel_status shows the next attempt). Then call again.",
    retryable: true,
  },
  "link-other-host": {
    message: "the link names the room of a tunnel that is joined here, but another host key",
    next: "Do not use this link; tell your human that it may be a forgery, and ask the host for a new one.",
    retryable: false,
  },
  "member-unknown": {
    message: "nobody of this name is in the tunnel",
    next: "Use the names in `members` (tunnel_status shows them); this side itself cannot be meant.",
    retryable: false,
  },
  "nobody-joined": {
    message: "nobody has joined this tunnel yet, or everybody has left, so nobody would receive the message",
    next: "Give the other developer the invite, wait with tunnel_listen until they have joined, then send it.",
    retryable: true,
  },
  "outbox-full": {
    message: "too many messages are waiting to be delivered, so this one was not accepted",
    next: "Wait until the others have caught up or are connected again (tunnel_status shows it), and send it again.",
    retryable: true,
  },

  // --- integrity ---
  "integrity-failed": {
    message:
      "data arrived that was altered, replayed, reordered or not made by the peer, so the connection was cut",
    next: "Tell your human: somebody on the path may be tampering. A new connection with fresh keys is tried by itself.",
    retryable: true,
  },
  "protocol-violation": {
    message: "the other side sent something the protocol does not allow, so the connection was cut",
    next: "Check that both sides run the same version of tunnel-mcp; if they do, report it.",
    retryable: false,
  },
  "order-broken": {
    message:
      "what arrived is not what was said: a message was altered, invented, left out, repeated or moved",
    next: "Tell your human. A member gets its messages from the host alone: it should stop relying on this tunnel. A host that reads this has been sent it by the member.",
    retryable: false,
  },
  "message-unreadable": {
    message: "a message for this side only could not be opened: its sender has sealed it wrongly",
    next: "Ask the sender to say it again; if it persists, check that both sides run the same version of tunnel-mcp.",
    retryable: false,
  },
  "host-equivocation": {
    message: "the host has shown different members different conversations",
    next: "Stop relying on this tunnel and tell your human.",
    retryable: false,
  },

  // --- files ---
  "file-unknown": {
    message: "no file of this id has been offered to this side, or its sender does not offer it any more",
    next: "Use the fileId of a message of kind `file` that tunnel_listen returned, or ask the sender to share it again.",
    retryable: false,
  },
  "note-invalid": {
    message: "the note is empty, too long, or contains characters that are not allowed",
    next: "Give up to 500 characters of plain text, or leave the note out and say it with tunnel_say.",
    retryable: false,
  },
  "file-own": {
    message: "this side shares this file itself",
    next: "It lies where it was shared from. The others receive it with tunnel_receive.",
    retryable: false,
  },
  "file-sender-left": {
    message: "whoever shared the file has left the tunnel, and its bytes with them",
    next: "Ask for the file to be shared again once they are back.",
    retryable: false,
  },
  "file-stalled": {
    message: "whoever shared the file has not sent any of it for too long",
    next: "See in tunnel_status whether they are connected, then call tunnel_receive again.",
    retryable: true,
  },
  "file-gone": {
    message: "the file was deleted or cannot be read any more where it was shared from",
    next: "Ask the sender to share it again.",
    retryable: false,
  },
  "file-changed": {
    message: "the file has changed since it was shared",
    next: "Ask the sender to share it again as it is now.",
    retryable: false,
  },
  "file-too-short": {
    message: "the sender ended the file before the size that it had announced",
    next: "Nothing was saved. Ask the sender to share the file again; if it persists, tell your human.",
    retryable: false,
  },
  "file-too-long": {
    message: "the sender sent more than the size that it had announced",
    next: "Nothing was saved. Tell your human: an honest sender does not do this.",
    retryable: false,
  },
  "file-unfinished": {
    message: "the sender did not mark the end of the file where it had announced it",
    next: "Nothing was saved. Tell your human: an honest sender does not do this.",
    retryable: false,
  },
  "file-out-of-order": {
    message: "the pieces of the file came in another order than they have",
    next: "Nothing was saved. Tell your human: an honest sender does not do this.",
    retryable: false,
  },
  "file-corrupt": {
    message: "a piece of the file is not what its sender sealed for this side",
    next: "Nothing was saved. Receive it again; if it persists, tell your human.",
    retryable: true,
  },
  "file-hash-mismatch": {
    message: "what came is not the file that was announced: its SHA-256 is another one",
    next: "Nothing was saved. Ask the sender to share the file again; if it persists, tell your human.",
    retryable: false,
  },
  "transfer-limit": {
    message: "as many files as allowed are being received at once",
    next: "Wait until one is done (tunnel_status shows them) or end one with `cancel`, then call again.",
    retryable: true,
  },
  "share-limit": {
    message: "as many files as allowed are shared in this tunnel",
    next: "Close the tunnel and open another one, or put several files into one archive.",
    retryable: false,
  },

  // --- the tunnel program and the port ---
  "cloudflared-unsupported": {
    message: "there is no pinned cloudflared for this platform",
    next: "Install cloudflared yourself (see its downloads page, or your package manager) and set TUNNEL_CLOUDFLARED to its path; or use TUNNEL_TRANSPORT=direct.",
    retryable: false,
  },
  "cloudflared-missing": {
    message: "the cloudflared program named by TUNNEL_CLOUDFLARED does not exist or cannot be run",
    next: "Correct the path, or unset TUNNEL_CLOUDFLARED to let tunnel-mcp fetch its own verified copy.",
    retryable: false,
  },
  "cloudflared-download-failed": {
    message: "cloudflared could not be downloaded",
    next: "Check the network or proxy and try again; or install cloudflared and set TUNNEL_CLOUDFLARED; or use TUNNEL_TRANSPORT=direct.",
    retryable: true,
  },
  "cloudflared-hash-mismatch": {
    message: "the cloudflared file does not have the expected SHA-256, so it was not run",
    next: "Run `tunnel-mcp doctor`. If a fresh download fails too, something between you and the release page alters files: tell your human.",
    retryable: false,
  },
  "cloudflared-rate-limited": {
    message: "Cloudflare refuses new Quick Tunnels from this address for now (rate limit, error 1015)",
    next: "Wait some minutes and try again, or use TUNNEL_TRANSPORT=direct.",
    retryable: true,
  },
  "cloudflared-api-down": {
    message: "Cloudflare's Quick Tunnel service did not answer usefully",
    next: "Try again in a minute; if it persists, use TUNNEL_TRANSPORT=direct.",
    retryable: true,
  },
  "cloudflared-blocked": {
    message: "cloudflared cannot reach Cloudflare's edge: port 7844 seems to be blocked for both UDP and TCP",
    next: "Allow outgoing port 7844, or change the network, or use TUNNEL_TRANSPORT=direct. `tunnel-mcp doctor` shows which part fails.",
    retryable: true,
  },
  "cloudflared-edge-unknown": {
    message: "cloudflared could not look up Cloudflare's edge",
    next: "Check DNS on this machine (`tunnel-mcp doctor`), then try again.",
    retryable: true,
  },
  "cloudflared-edge-lost": {
    message: "cloudflared had no connection to Cloudflare's edge for too long, so it was replaced",
    next: "Nothing: another tunnel takes its place by itself; tunnel_status shows how it goes.",
    retryable: true,
  },
  "cloudflared-config": {
    message: "cloudflared refused its configuration",
    next: "Run `tunnel-mcp doctor`; if you set TUNNEL_CLOUDFLARED, check that it is a recent cloudflared.",
    retryable: false,
  },
  "cloudflared-exited": {
    message: "cloudflared ended unexpectedly",
    next: "Open the tunnel again; if it persists, run `tunnel-mcp doctor`.",
    retryable: true,
  },
  "cloudflared-not-ready": {
    message: "cloudflared started but the tunnel did not come up in time",
    next: "Try again; if it persists, run `tunnel-mcp doctor`.",
    retryable: true,
  },
  // --- a tunnel command of the user ---
  "exec-no-command": {
    message: "no command is set that could open a tunnel",
    next: "Your human sets TUNNEL_COMMAND to a command that prints a public URL, with {port} in place of the port; or use another transport.",
    retryable: false,
  },
  "exec-missing": {
    message: "the program in TUNNEL_COMMAND does not exist or cannot be run",
    next: "Your human checks its name and path (on Windows it must be an .exe, not a script) and that it is installed.",
    retryable: false,
  },
  "exec-exited": {
    message: "the program in TUNNEL_COMMAND ended",
    next: "Your human runs the command in a terminal, with any port, and reads what it says; it must go on running as long as the tunnel is wanted.",
    retryable: true,
  },
  "exec-no-url": {
    message: "the program in TUNNEL_COMMAND printed no public URL in time",
    next: "Your human runs the command in a terminal: if it prints its address in another form than an https URL, TUNNEL_COMMAND_URL must find that.",
    retryable: true,
  },
  "exec-insecure-url": {
    message: "the program in TUNNEL_COMMAND printed an address without TLS that leads off this machine",
    next: "Your human lets the program give an https address, or lets TUNNEL_COMMAND_URL find that one.",
    retryable: false,
  },
  "exec-unreachable": {
    message: "the public URL that the program in TUNNEL_COMMAND printed did not answer in time",
    next: "Try again. If it persists, your human checks that the URL is the public one; or sets TUNNEL_SKIP_REACHABILITY_CHECK=1 if this machine cannot reach its own address.",
    retryable: true,
  },
  "exec-not-ours": {
    message:
      "the public URL that the program in TUNNEL_COMMAND printed leads to something else than this tunnel",
    next: "Your human checks that the command forwards to {port} on 127.0.0.1, asks visitors for no login, and that TUNNEL_COMMAND_URL finds the right URL.",
    retryable: false,
  },
  "exec-moved": {
    message: "the program in TUNNEL_COMMAND changed its public URL",
    next: "Nothing: it is started again by itself; tunnel_status shows how it goes.",
    retryable: true,
  },
  "exec-silent": {
    message:
      "the public URL of the program in TUNNEL_COMMAND did not lead here for too long, so it was replaced",
    next: "Nothing: another tunnel takes its place by itself; tunnel_status shows how it goes.",
    retryable: true,
  },
  "exec-same-url": {
    message: "the program in TUNNEL_COMMAND gives the same address every time, so there is no spare one",
    next: "Nothing: the tunnel works. Your human can set TUNNEL_STANDBY=off to save the attempt.",
    retryable: false,
  },

  // --- the public name and the port ---
  "address-not-live": {
    message: "the tunnel is up, but its public name did not become reachable in time",
    next: "Try again; or set TUNNEL_SKIP_REACHABILITY_CHECK=1 if DNS-over-HTTPS is blocked here.",
    retryable: true,
  },
  "port-in-use": {
    message: "the port in TUNNEL_PORT is in use by another program",
    next: "Choose another TUNNEL_PORT, or unset it to take any free port.",
    retryable: false,
  },
  "bind-failed": {
    message: "the address in TUNNEL_BIND cannot be listened on",
    next: "Set TUNNEL_BIND to an address of this machine, or unset it.",
    retryable: false,
  },
  // --- files of this machine ---
  "path-invalid": {
    message: "the path cannot be used",
    next: "Give a path relative to the working directory, or an absolute one, with a plain file name that Windows accepts, too.",
    retryable: false,
  },
  "path-outside": {
    message: "the path leads out of the folders that may be used",
    next: "Choose a place in the working directory of this server. Your human can allow other folders: TUNNEL_SAVE_ROOTS for saving, TUNNEL_SHARE_ROOTS for sharing.",
    retryable: false,
  },
  "path-protected": {
    message: "a file saved there would run by itself, or change how a tool or an agent behaves",
    next: "Save it somewhere else in the project under another name. If it belongs there, your human can read it and move it.",
    retryable: false,
  },
  "save-folder-missing": {
    message: "the folder in which the file is to be saved does not exist",
    next: "Make the folder first, or choose another one.",
    retryable: false,
  },
  "save-exists": {
    message: "a file of that name exists already",
    next: "Choose another name; or, if it is to be replaced, say so with overwrite.",
    retryable: false,
  },
  "save-not-a-file": {
    message: "at that path there is something that is not a plain file: a folder, a link or a device",
    next: "Choose another name.",
    retryable: false,
  },
  "save-failed": {
    message: "the file could not be saved; nothing was left behind",
    next: "Check that the folder can be written to, or choose another one, and try again.",
    retryable: true,
  },
  "disk-full": {
    message: "there is no space left for the file; nothing was left behind",
    next: "Free some space, or choose a folder on another disk, and try again.",
    retryable: false,
  },
  "share-not-found": {
    message: "there is no file at that path",
    next: "Check the path: it is relative to the working directory of this server.",
    retryable: false,
  },
  "share-not-a-file": {
    message: "at that path there is something that cannot be shared: only plain files can",
    next: "Share the files of a folder one by one, or pack them into an archive first.",
    retryable: false,
  },
  "share-unreadable": {
    message: "the file cannot be read",
    next: "Check its permissions.",
    retryable: false,
  },
  "share-too-large": {
    message: "the file is over 1 TiB, which is as much as can be shared",
    next: "Share a part of it, or another file.",
    retryable: false,
  },
  "share-sensitive": {
    message: "the file looks like a secret, so it was not shared",
    next: "Share something else, without the secret. Only your human can allow this one file, if it is none: by adding its absolute path to TUNNEL_SHARE_ALLOW and starting the server again.",
    retryable: false,
  },
  "share-changed": {
    message: "the file was changed after it was shared",
    next: "Share it again, once it is as it should be.",
    retryable: false,
  },
  "share-gone": {
    message: "the file was deleted or moved after it was shared",
    next: "Share it again from where it is now.",
    retryable: false,
  },

  // --- git ---
  "git-unavailable": {
    message: "there is no git repository here that can be used",
    next: "Check that git is installed, that the working directory of this server is in a repository with a commit, and that `git status` works there.",
    retryable: false,
  },
  "git-failed": {
    message: "git did not do what it was asked",
    next: "Check that `git status` works in the working directory of this server, then try again.",
    retryable: true,
  },
  "patch-range": {
    message: "the range does not name commits of this repository",
    next: "Give one commit, or two as BASE..TIP; leave it out for what is not committed yet.",
    retryable: false,
  },
  "patch-empty": {
    message: "there is nothing to send: no change was found",
    next: "Make the change first, or give the range of the commits that hold it.",
    retryable: false,
  },
  "patch-too-large": {
    message: "the patch is over the limit of 32 MiB",
    next: "Send fewer commits at once, or push a branch and name it instead.",
    retryable: false,
  },
  cancelled: {
    message: "the call was cancelled before it finished",
    next: "Call again if you still need it.",
    retryable: true,
  },
  internal: {
    message: "something went wrong inside tunnel-mcp",
    next: "Try again; if it persists, report it with the version number.",
    retryable: true,
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** Marks the class across copies: every file of the bundle has its own (scripts/build.mjs). */
const BRAND = Symbol.for("tunnel-mcp.TunnelError");

/** The one error class. `detail` is safe to show: never a key, a link, message text or a peer's words. */
export class TunnelError extends Error {
  override readonly name = "TunnelError";
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly [BRAND] = true;

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  constructor(code: ErrorCode, options: { detail?: string; cause?: unknown } = {}) {
    const entry = ERRORS[code];
    super(options.detail === undefined ? entry.message : `${entry.message}: ${options.detail}`, {
      cause: options.cause,
    });
    this.code = code;
    this.detail = options.detail;
  }

  get next(): string {
    return ERRORS[this.code].next;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** What was thrown, as a TunnelError; anything unforeseen becomes `internal` with the original as its cause. */
export function asTunnelError(thrown: unknown): TunnelError {
  return thrown instanceof TunnelError ? thrown : new TunnelError("internal", { cause: thrown });
}
