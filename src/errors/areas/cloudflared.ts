import type { ErrorArea } from "../base/entry.ts";

const AGENT_DIRECT =
  'call tunnel_open with transport: "direct" (it reaches this machine only, unless your human has set TUNNEL_BIND or TUNNEL_PUBLIC_URL)';
const PERSON_DIRECT =
  "open it with --transport direct (it reaches this machine only, unless TUNNEL_BIND or TUNNEL_PUBLIC_URL is set)";

/** The program that opens a Quick Tunnel, and Cloudflare's side of it. */
export const CLOUDFLARED = {
  "cloudflared-unsupported": {
    message: "tunnel-mcp knows no cloudflared to download for this platform",
    next: `Ask your human to install cloudflared and to set TUNNEL_CLOUDFLARED to its path. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Install cloudflared and set TUNNEL_CLOUDFLARED to its path. Or ${PERSON_DIRECT}.`,
    retryable: false,
  },
  "cloudflared-missing": {
    message: "cloudflared was not found or cannot be run",
    next: "Ask your human to correct TUNNEL_CLOUDFLARED, or to unset it: tunnel-mcp then downloads a verified copy.",
    nextForPerson: "Correct TUNNEL_CLOUDFLARED, or unset it: tunnel-mcp then downloads a verified copy.",
    retryable: false,
  },
  "cloudflared-download-failed": {
    message: "cloudflared could not be downloaded",
    next: `Try again. If it keeps failing, ask your human to check the network and proxy, or to install cloudflared and set TUNNEL_CLOUDFLARED. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Check the network and proxy, then try again. Or install cloudflared and set TUNNEL_CLOUDFLARED. Or ${PERSON_DIRECT}.`,
    retryable: true,
  },
  "cloudflared-hash-mismatch": {
    message: "the cloudflared file does not have the expected SHA-256, so it was not run",
    next: "Ask your human to run `tunnel-mcp doctor`. If a fresh download fails too, something between this machine and the release page alters files.",
    nextForPerson:
      "Run `tunnel-mcp doctor`. If a fresh download fails too, something between this machine and the release page alters files.",
    retryable: false,
  },
  "cloudflared-rate-limited": {
    message: "Cloudflare refuses new Quick Tunnels from this address for now (rate limit, error 1015)",
    next: `Try again in some minutes. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Try again in some minutes. Or ${PERSON_DIRECT}.`,
    retryable: true,
  },
  "cloudflared-api-down": {
    message: "Cloudflare's Quick Tunnel service gave no useful answer",
    next: `Try again in a minute. If it keeps failing, ${AGENT_DIRECT}.`,
    nextForPerson: `Try again in a minute. If it keeps failing, ${PERSON_DIRECT}.`,
    retryable: true,
  },
  "cloudflared-blocked": {
    message: "cloudflared cannot reach Cloudflare's edge: port 7844 seems to be blocked for UDP and TCP",
    next: `Ask your human to allow outgoing port 7844 or to change the network; \`tunnel-mcp doctor\` shows what fails. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Allow outgoing port 7844 or change the network; \`tunnel-mcp doctor\` shows what fails. Or ${PERSON_DIRECT}.`,
    retryable: true,
  },
  "cloudflared-edge-unknown": {
    message: "cloudflared could not look up Cloudflare's edge",
    next: "Try again. If it keeps failing, ask your human to check DNS with `tunnel-mcp doctor`.",
    nextForPerson: "Check DNS with `tunnel-mcp doctor`, then try again.",
    retryable: true,
  },
  "cloudflared-edge-lost": {
    message: "cloudflared had no connection to Cloudflare's edge for too long, so it was replaced",
    next: "Do nothing: another tunnel takes its place automatically. tunnel_status shows how it goes.",
    nextForPerson: "Do nothing: another tunnel takes its place automatically. The status shows how it goes.",
    retryable: true,
  },
  "cloudflared-config": {
    message: "cloudflared refused its configuration",
    next: "Ask your human to run `tunnel-mcp doctor`, and to check that TUNNEL_CLOUDFLARED, if set, is a recent cloudflared.",
    nextForPerson:
      "Run `tunnel-mcp doctor`, and check that TUNNEL_CLOUDFLARED, if set, is a recent cloudflared.",
    retryable: false,
  },
  "cloudflared-exited": {
    message: "cloudflared ended unexpectedly",
    next: "Call tunnel_open again. If it keeps failing, ask your human to run `tunnel-mcp doctor`.",
    nextForPerson: "Open the tunnel again. If it keeps failing, run `tunnel-mcp doctor`.",
    retryable: true,
  },
  "cloudflared-not-ready": {
    message: "cloudflared started, but its tunnel was not ready in time",
    next: "Call tunnel_open again. If it keeps failing, ask your human to run `tunnel-mcp doctor`.",
    nextForPerson: "Open the tunnel again. If it keeps failing, run `tunnel-mcp doctor`.",
    retryable: true,
  },
} as const satisfies ErrorArea;
