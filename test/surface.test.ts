import { afterAll, beforeAll, expect, it } from "vitest";
import { ERRORS } from "../src/protocol/errors.ts";
import { Agent, closeAgents, type Era } from "./support/agent.ts";

/** The surface that clients and skills rely on, word for word: changing it is a decision, never an accident. */
const HINTS = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] as const;
const TOOLS = [
  [
    "tunnel_open",
    "Open a tunnel",
    [false, false, false, true],
    ["goal"],
    ["invites", "transport", "history", "name"],
  ],
  [
    "tunnel_invite",
    "Invite, revoke, remove",
    [false, true, false, true],
    [],
    ["count", "revoke", "remove", "tunnelId"],
  ],
  ["tunnel_join", "Join a tunnel", [false, false, false, true], ["joinLink"], ["name"]],
  [
    "tunnel_say",
    "Say something",
    [false, false, false, true],
    ["text"],
    ["intent", "replyTo", "to", "waitMs", "tunnelId"],
  ],
  ["tunnel_listen", "Listen", [true, false, false, true], [], ["timeoutMs", "limit", "sinceSeq", "tunnelId"]],
  ["tunnel_status", "Status", [false, false, true, false], [], ["tunnelId", "saveTranscript"]],
  ["tunnel_close", "Close or leave", [false, true, true, true], [], ["summary", "tunnelId"]],
] as const;

/** Codes are for ever: one may be added, none may change its name. */
const CODES = [
  "address-lost",
  "address-not-live",
  "already-joined",
  "bind-failed",
  "cancelled",
  "client-command-failed",
  "client-config-unusable",
  "client-entry-foreign",
  "cloudflared-api-down",
  "cloudflared-blocked",
  "cloudflared-config",
  "cloudflared-download-failed",
  "cloudflared-edge-lost",
  "cloudflared-edge-unknown",
  "cloudflared-exited",
  "cloudflared-hash-mismatch",
  "cloudflared-missing",
  "cloudflared-not-ready",
  "cloudflared-rate-limited",
  "cloudflared-unsupported",
  "config-invalid",
  "disk-full",
  "git-failed",
  "git-unavailable",
  "control-failed",
  "goal-invalid",
  "handshake-timeout",
  "host-equivocation",
  "host-name-unknown",
  "host-not-authentic",
  "host-unreachable",
  "input-invalid",
  "integrity-failed",
  "internal",
  "invite-limit",
  "invite-refused",
  "invite-unknown",
  "link-address",
  "link-malformed",
  "link-other-host",
  "link-version",
  "member-unknown",
  "message-unreadable",
  "name-invalid",
  "no-server",
  "no-tunnel",
  "nobody-joined",
  "not-a-tunnel",
  "not-the-host",
  "order-broken",
  "outbox-full",
  "own-link",
  "patch-empty",
  "patch-range",
  "patch-too-large",
  "path-invalid",
  "path-outside",
  "path-protected",
  "port-in-use",
  "protocol-violation",
  "reply-unknown",
  "save-exists",
  "save-failed",
  "save-folder-missing",
  "save-not-a-file",
  "share-changed",
  "share-gone",
  "share-not-a-file",
  "share-not-found",
  "share-sensitive",
  "share-unreadable",
  "server-ambiguous",
  "setup-place-passing",
  "text-invalid",
  "text-too-long",
  "too-many-tunnels",
  "transcript-invalid",
  "transcript-not-saved",
  "tunnel-ambiguous",
  "tunnel-closed",
  "tunnel-gone",
  "tunnel-unknown",
  "version-unsupported",
];

/** Clients cut instructions and each description at 2 KB. */
const CLIENT_LIMIT_BYTES = 2_048;
/** What a client pays in context for this server, measured, and a tenth on top. */
const WHOLE_LIMIT_BYTES = 11_400;

let agents: Record<Era, Agent>;
beforeAll(async () => {
  const [legacy, modern] = await Promise.all([Agent.start(), Agent.start({}, "modern")]);
  agents = { legacy, modern };
});
afterAll(closeAgents);

it.each<Era>(["legacy", "modern"])("the tools of the %s era are these, in this order", async (era) => {
  const { tools } = await agents[era].client.listTools();
  const shown = tools.map(({ name, title, annotations = {}, inputSchema }) => {
    const required = inputSchema.required ?? [];
    const optional = Object.keys(inputSchema.properties ?? {}).filter((key) => !required.includes(key));
    expect(annotations.title).toBe(title);
    return [name, title, HINTS.map((hint) => annotations[hint]), required, optional];
  });
  expect(shown).toEqual(TOOLS);
  for (const { inputSchema, outputSchema } of tools) {
    expect(inputSchema).toMatchObject({ type: "object", additionalProperties: false });
    // Claude Code skips tools whose schema is a choice at its root.
    for (const choice of ["anyOf", "oneOf", "allOf"]) expect(inputSchema).not.toHaveProperty(choice);
    expect(outputSchema).toBeUndefined();
    for (const property of Object.values(inputSchema.properties ?? {}))
      expect(property).toMatchObject({ description: expect.stringMatching(/./) });
  }
});

it("what a client must load stays small", async () => {
  const { tools } = await agents.legacy.client.listTools();
  const instructions = agents.legacy.client.getInstructions() ?? "";
  expect(Buffer.byteLength(instructions)).toBeLessThanOrEqual(CLIENT_LIMIT_BYTES);
  for (const { description = "" } of tools) {
    expect(description.length).toBeGreaterThan(80);
    expect(Buffer.byteLength(description)).toBeLessThanOrEqual(CLIENT_LIMIT_BYTES);
  }
  const whole = Buffer.byteLength(JSON.stringify(tools)) + Buffer.byteLength(instructions);
  expect(whole).toBeLessThanOrEqual(WHOLE_LIMIT_BYTES);
});

it("the error codes are these, each with what happened and a next step", () => {
  expect(Object.keys(ERRORS).toSorted()).toEqual(CODES);
  for (const { message, next } of Object.values(ERRORS)) {
    expect(message).toMatch(/^[^A-Z\s].*[^.]$|^Cloudflare/s);
    expect(next).toMatch(/^[A-Z][\s\S]*\.$/);
  }
});
