import { noExposures, type LazyExposures } from "../../src/expose/exposures/lazy-exposures.ts";
import { noServices, type LazyServices } from "../../src/services/tunnels/lazy-services.ts";
import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { expect, vi } from "vitest";
import { z } from "zod";
import { Fence } from "../../src/mcp/results/fence.ts";
import type { ResultSettings } from "../../src/mcp/results/limit.ts";
import { registerResources, ResourceNews } from "../../src/mcp/resources.ts";
import { createServer } from "../../src/mcp/server.ts";
import { Forms } from "../../src/mcp/calls/forms.ts";
import { SharedCalls } from "../../src/mcp/calls/shared-calls.ts";
import type { Payload } from "../../src/mcp/results/result.ts";
import type { ClientProgram, WorkContext } from "../../src/protocol/room/work-context.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { ROOM } from "../../src/protocol/base/limits.ts";
import type { FileOffer } from "../../src/protocol/files/offer.ts";
import type { Presence } from "../../src/protocol/room/participant.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { FILES } from "../../src/session/files/files.ts";
import { MAX_ALARMS } from "../../src/session/session.ts";
import type { Session, Sessions } from "../../src/session/sessions.ts";
import { MemorySource } from "../support/files/file-ends.ts";
import { memberIdFromText } from "../session/support.ts";

/** Rooms as full as the limits allow, put in front of the real tools. */

/** Four bytes each, and none of them can be left away. */
export const wide = (count: number): string => "😀".repeat(count);

export const FENCE_MARKER = "0123456789ab";

/** A client in this process, before the real tools. */
export async function clientOf(
  sessions: Sessions,
  clock: Clock = systemClock,
  more: {
    as?: ClientProgram;
    results?: ResultSettings;
    answerMs?: number;
    exposures?: LazyExposures;
    services?: LazyServices;
    /** Hears every message that the client gets. */
    onMessage?: (message: unknown) => void;
  } = {},
): Promise<(tool: string, args?: object) => Promise<Payload>> {
  const [near, far] = InMemoryTransport.createLinkedPair();
  const client = new Client(more.as ?? { name: "test", version: "0" });
  await createServer("0", {
    ...more,
    clock,
    fence: new Fence(FENCE_MARKER),
    sessions: async () => sessions,
    exposures: more.exposures ?? noExposures(),
    services: more.services ?? noServices(),
    calls: new SharedCalls(clock),
    forms: new Forms(),
    isUnattended: false,
    problems: async () => [],
    commandLine: (args) => ["tunnel-mcp", ...args].join(" "),
    wake: () => ({
      by: "command",
      command: `node ${"/a/long/path".repeat(20)} wake --tunnel 1d`,
      commandProblem: undefined,
      commandNote: "it wakes you only in some clients",
      channel: "off",
      next: "With nothing else to do, end your turn.",
    }),
  }).connect(far);
  await client.connect(near);
  const send = far.send.bind(far);
  far.send = (message, options) => {
    more.onMessage?.(message);
    return send(message, options);
  };
  return async (tool, args = {}) => {
    const { content, structuredContent = {} } = await client.callTool({
      name: tool,
      arguments: { ...args },
    });
    const [part] = content;
    const shown: unknown = JSON.parse(part?.type === "text" ? part.text : "");
    expect(shown).toEqual(structuredContent);
    // As it comes over a wire: without what is undefined.
    return z.record(z.string(), z.unknown()).parse(shown);
  };
}

/** Reads a resource as a client does. */
export async function reading(sessions: Sessions): Promise<(uri: string) => Promise<string>> {
  const server = new McpServer({ name: "test", version: "0" });
  const services = {
    clock: systemClock,
    fence: new Fence(FENCE_MARKER),
    loaded: () => Promise.resolve(sessions),
  };
  registerResources(server, services, new ResourceNews(systemClock), "modern");
  const client = new Client({ name: "test", version: "0" });
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  await client.connect(near);
  return async (uri) => {
    const [content] = (await client.readResource({ uri })).contents;
    return content !== undefined && "text" in content ? content.text : "";
  };
}

export const LONGEST_CONTEXT: WorkContext = {
  repository: { name: "r".repeat(100), branch: "b".repeat(80), head: "0".repeat(64), dirty: true },
  client: { name: "c".repeat(20), version: "v".repeat(20) },
};

export function presence(index: number, more: Partial<Presence> = {}): Presence {
  return {
    id: memberIdFromText(String(index).padStart(43, "i")),
    name: `${index}`.padStart(2, "0") + wide(ROOM.maxNameChars - 2),
    isHost: false,
    isSelf: false,
    connected: true,
    workContext: LONGEST_CONTEXT,
    lastSeenMs: 1_000,
    read: 5_000,
    safetyCode: `${wide(7)} / ${"abandoned ".repeat(4)}`,
    ...more,
  };
}

export function offer(index: number): FileOffer {
  return {
    id: new Uint8Array(16).fill(index),
    key: new Uint8Array(32),
    name: `${index}`.padStart(255, "f"),
    size: 2 ** 40,
    hash: new Uint8Array(32),
    note: wide(500),
    patch: { base: "0".repeat(64), files: 1e9, insertions: 1e9, deletions: 1e9 },
  };
}

const many = <Item>(count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** Makes a tunnel show as much as one can have. */
export function fill(tunnel: Session): void {
  const error = new TunnelError("integrity-failed", { detail: "d".repeat(200) });
  const self = { isHost: true, isSelf: true, safetyCode: undefined };
  // This side comes last here, so that a list which is simply cut would lose it.
  const members = many(ROOM.maxMembers, (index) =>
    presence(index, index === ROOM.maxMembers - 1 ? self : {}),
  );
  vi.spyOn(tunnel, "presence").mockReturnValue(members);
  vi.spyOn(tunnel, "alarms", "get").mockReturnValue(many(MAX_ALARMS, () => error));
  const fileId = "x".repeat(22);
  vi.spyOn(tunnel.files, "offered", "get").mockReturnValue(
    many(FILES.maxOffers, (index) => ({
      fileId,
      entry: {
        kind: "file",
        seq: index + 1,
        ts: 0,
        from: members[0]?.id ?? memberIdFromText(""),
        fromName: members[0]?.name ?? "",
        own: false,
        intent: undefined,
        replyTo: undefined,
        to: undefined,
        offer: offer(index),
      },
    })),
  );
  const source = new MemorySource(new Uint8Array(1));
  const shares = many(FILES.maxShares, (index) => ({
    offer: offer(index),
    source,
    to: undefined,
    isOffered: true,
  }));
  vi.spyOn(tunnel.files, "shares", "get").mockReturnValue(shares);
  vi.spyOn(tunnel.files, "downloads", "get").mockReturnValue(
    many(FILES.maxPast, (index) => ({
      fileId,
      offer: offer(index),
      owner: memberIdFromText(""),
      target: `/${"p".repeat(1_000)}`,
      state: { name: "failed", error },
      total: 1,
      tree: undefined,
      over: Promise.resolve(),
      attend: () => undefined,
      cancel: async () => undefined,
    })),
  );
}
