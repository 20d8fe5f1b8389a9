import { MENDED_FIRST, TRIED_AGAIN, type ErrorArea } from "../../base/entry.ts";
import { AGENT_DIRECT, PERSON_DIRECT, RESTART } from "../../base/steps.ts";

/** The program that opens a Quick Tunnel, and Cloudflare's side of it. */
export const CLOUDFLARED = {
  "cloudflared-unsupported": {
    message: "tunnel-mcp knows no cloudflared to download for this platform",
    next: `Ask your human to install cloudflared, to set TUNNEL_CLOUDFLARED to its path, ${RESTART}. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Install cloudflared and set TUNNEL_CLOUDFLARED to its path. Or ${PERSON_DIRECT}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "cloudflared-missing": {
    message: "cloudflared was not found or cannot be run",
    next: `Ask your human to mend what is named, or to correct or unset TUNNEL_CLOUDFLARED (without it tunnel-mcp downloads a verified copy), ${RESTART}. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Mend what is named, or correct or unset TUNNEL_CLOUDFLARED: without it tunnel-mcp downloads a verified copy. Or ${PERSON_DIRECT}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "cloudflared-download-failed": {
    message: "cloudflared could not be downloaded",
    next: `Try again. If it keeps failing, ask your human to check what is named, the network and the proxy, or to install cloudflared, to set TUNNEL_CLOUDFLARED to its path, ${RESTART}. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Check what is named, the network and the proxy, then try again. Or install cloudflared and set TUNNEL_CLOUDFLARED to its path. Or ${PERSON_DIRECT}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "cloudflared-hash-mismatch": {
    message: "the cloudflared file does not have the expected SHA-256, so it was not run",
    next: `Tell your human: something between this machine and the release page alters files, and \`tunnel-mcp doctor\` shows more. Do not work around the check. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Something between this machine and the release page alters files: \`tunnel-mcp doctor\` shows more. Or ${PERSON_DIRECT}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "cloudflared-rate-limited": {
    message: "Cloudflare refuses new Quick Tunnels from this address for now (rate limit, error 1015)",
    next: `Try again in some minutes. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Try again in some minutes. Or ${PERSON_DIRECT}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "cloudflared-api-down": {
    message: "Cloudflare's Quick Tunnel service gave no useful answer",
    next: `Try again in a minute. If it keeps failing, ${AGENT_DIRECT}.`,
    nextForPerson: `Try again in a minute. If it keeps failing, ${PERSON_DIRECT}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "cloudflared-blocked": {
    message: "cloudflared cannot reach Cloudflare's edge: port 7844 seems to be blocked for UDP and TCP",
    next: `Ask your human to allow outgoing port 7844 or to change the network; \`tunnel-mcp doctor\` shows what fails. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Allow outgoing port 7844 or change the network; \`tunnel-mcp doctor\` shows what fails. Or ${PERSON_DIRECT}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "cloudflared-edge-unknown": {
    message: "cloudflared could not look up Cloudflare's edge",
    next: `Try again. If it keeps failing, ask your human to check DNS with \`tunnel-mcp doctor\`. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Check DNS with \`tunnel-mcp doctor\`, then try again. Or ${PERSON_DIRECT}.`,
    whileOpen: TRIED_AGAIN,
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
    next: `Ask your human to run \`tunnel-mcp doctor\`, to see that TUNNEL_CLOUDFLARED, if set, names a recent cloudflared, ${RESTART}. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Run \`tunnel-mcp doctor\`, and see that TUNNEL_CLOUDFLARED, if set, names a recent cloudflared. Or ${PERSON_DIRECT}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "cloudflared-exited": {
    message: "cloudflared ended unexpectedly",
    next: `Call tunnel_open again. If it keeps failing, ask your human to run \`tunnel-mcp doctor\`. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Open the tunnel again. If it keeps failing, run \`tunnel-mcp doctor\`. Or ${PERSON_DIRECT}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "cloudflared-not-ready": {
    message: "cloudflared started, but its tunnel was not ready in time",
    next: `Call tunnel_open again. If it keeps failing, ask your human to run \`tunnel-mcp doctor\`. Or ${AGENT_DIRECT}.`,
    nextForPerson: `Open the tunnel again. If it keeps failing, run \`tunnel-mcp doctor\`. Or ${PERSON_DIRECT}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
} as const satisfies ErrorArea;
