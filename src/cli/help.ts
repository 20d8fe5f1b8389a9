import { registration } from "../view/registration.ts";

/** Shown on stderr when a person starts the server by hand and would otherwise face a silent process. */
export function terminalHint(bundle: string): string {
  return `tunnel-mcp waits for an MCP client on stdin. To register it: ${registration(bundle, process.platform)}  (--help for more, Ctrl-C to end)`;
}

/** The text of `--help`; `bundle` is the path of the running program. */
export function helpText(version: string, bundle: string): string {
  return `tunnel-mcp ${version} - two developers' coding agents talk directly, end-to-end encrypted

Usage: tunnel-mcp [command]

  (no command)          run the MCP server on stdin and stdout; a client starts this
  demo                  watch two agents pair and talk on this machine
    --transport NAME    direct (default), or cloudflared to go through the internet
  open --goal TEXT      open a tunnel and chat in it from this terminal
    --name NAME         how the others see you
    --invites COUNT     how many people are invited (default: 1)
    --transport NAME    cloudflared (default), or direct
    --history           those who join later are given what was said before
    --json              for programs: lines of JSON in and out (docs/CLI.md)
  join [LINK]           join a tunnel and chat in it from this terminal
    --name, --json      as for open
                        Without LINK it is asked for, unseen, or read from stdin's first
                        line: other users of a machine can see the arguments of commands.
  doctor                check what a tunnel needs here, with a fix for each failure
  setup                 register with the MCP clients on this machine, and copy the skill
    --client NAME       only this one, found or not; several times, or with commas
    --yes               do it without asking
    --print             show what to write by hand, and change nothing
    --remove            take it out again
    --force             replace what another program has under the name tunnel
  install-skill         teach your agent how to behave in a tunnel
    --dir PATH          skills folder (default: ~/.claude/skills)
    --force             replace a skill that differs
  verify FILE           check a saved transcript: what it proves, and what not
  export [FILE]         show a saved transcript; without FILE, that of a running tunnel
    --tunnel ID         which tunnel (default: that of this session or folder)
    --out FILE          write a new file instead
    --json, --markdown  as which of both (default: Markdown)
  wake                  wait until something unread is there; reads nothing
    --tunnel ID         which (default: of this session or folder, else all there are)
    --timeout SECONDS   give up after this
    --watch             go on, with a line whenever something has come
  --help, -h            show this text
  --version, -v         show the version

Register it with Claude Code alone, by hand:

  ${registration(bundle, process.platform)}

Environment, all optional:

  TUNNEL_TRANSPORT                cloudflared (default), or direct
  TUNNEL_NAME                     how the other side sees you
  TUNNEL_CLOUDFLARED              path of your own cloudflared; unset: a verified copy
  TUNNEL_BIND                     address to listen on (default: 127.0.0.1)
  TUNNEL_PORT                     port to listen on (default: 0, any free one)
  TUNNEL_PUBLIC_URL               address in front of that port; only with direct
  TUNNEL_DOH                      on (default), or off: DNS-over-HTTPS
  TUNNEL_STANDBY                  on (default), or off: a spare tunnel while others are in
  TUNNEL_CONTEXT                  on (default), or off: tell repository, commit, client
  TUNNEL_UNATTENDED               1: no human has to confirm that a file is received
  TUNNEL_IDLE_MINUTES             an idle tunnel closes after this (default: 30)
  TUNNEL_INVITE_MINUTES           an unused link expires after this (default: 10)
  TUNNEL_SKIP_REACHABILITY_CHECK  1: hand out the link without waiting for its name
  TUNNEL_SAVE_ROOTS               more folders in which received files may be saved
  TUNNEL_SHARE_ROOTS              more folders from which files may be shared
  TUNNEL_SHARE_ALLOW              files to share although they look like a secret
  TUNNEL_CHANNEL                  on, or off (default): wake Claude Code through a channel
  TUNNEL_SKILLS_DIR               skills folder for install-skill
`;
}
