import type { ErrorArea } from "../base/entry.ts";

/** MCP servers of this machine that others reach. */
export const BRIDGE = {
  "mcp-servers-unset": {
    message: "no file names MCP servers that may be offered",
    next: "Offer it by its URL, or tell your human: only they can name commands, in the file of TUNNEL_MCP_SERVERS.",
    nextForPerson:
      'Write a file {"mcpServers": {"NAME": {"command": "…", "args": []}}}, chmod go=, set TUNNEL_MCP_SERVERS to its path, and start the server again.',
    retryable: false,
  },
  "mcp-servers-unreadable": {
    message: "the file of TUNNEL_MCP_SERVERS cannot be read",
    next: "Tell your human that TUNNEL_MCP_SERVERS must be the path of a file of theirs, and to start this server again.",
    nextForPerson: "Set TUNNEL_MCP_SERVERS to the path of a file of yours, then start the server again.",
    retryable: false,
  },
  "mcp-servers-open": {
    message: "others can read or change the file of TUNNEL_MCP_SERVERS, which names programs to run",
    next: "Tell your human to make it theirs alone (chmod go=).",
    nextForPerson: "Make it yours alone: chmod go= FILE.",
    retryable: false,
  },
  "mcp-servers-invalid": {
    message: "the file of TUNNEL_MCP_SERVERS does not have the form that clients use",
    next: 'Tell your human. The form is {"mcpServers": {"NAME": {"command": "…", "args": ["…"], "env": {}, "cwd": "…"}}}.',
    nextForPerson:
      'The form is {"mcpServers": {"NAME": {"command": "…", "args": ["…"], "env": {}, "cwd": "…"}}}.',
    retryable: false,
  },
  "mcp-server-unknown": {
    message: "no MCP server of this name is in the file of TUNNEL_MCP_SERVERS",
    next: "Take a name that is in it, or offer a server by its URL. A command line is never taken from a call.",
    nextForPerson: "Take a name that is in it, or add one.",
    retryable: false,
  },
  "mcp-server-failed": {
    message: "the MCP server has ended before it could be used",
    next: "Tell your human to run its command by hand, to see what it says.",
    nextForPerson: "Run its command by hand, to see what it says.",
    retryable: true,
  },
  "mcp-server-silent": {
    message: "the MCP server does not answer its first request",
    next: "Try again: the first start may have to fetch it. Else tell your human to run its command by hand.",
    nextForPerson: "Try again: the first start may have to fetch it. Else run its command by hand.",
    retryable: true,
  },
  "mcp-server-unfit": {
    message: "what answers is no MCP server that this version can serve",
    next: "Check that it speaks MCP over stdio, or Streamable HTTP at the URL that was given; the older HTTP+SSE is not served.",
    retryable: false,
  },
  "mcp-tools-invalid": {
    message: "this is no list of tools",
    next: 'Give names of letters, digits and _ . - /, with * for any of them, as in ["search_*"].',
    nextForPerson: "Give names, with * for any characters, as in search_*.",
    retryable: false,
  },
} as const satisfies ErrorArea;
