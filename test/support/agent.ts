import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CallToolResult, Client, type ElicitResult } from "@modelcontextprotocol/client";
import { getDefaultEnvironment, StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { expect } from "vitest";
import { z } from "zod";
import { isRunning, until } from "./processes.ts";

/** The file a user installs, and the Node that runs it; CI sets the variable to test others. */
export const BUNDLE = fileURLToPath(new URL("../../dist/tunnel-mcp.cjs", import.meta.url));
export const NODE = process.env["TUNNEL_TEST_NODE"] ?? process.execPath;

export type Era = "legacy" | "modern";
export const REVISION: Readonly<Record<Era, string>> = { legacy: "2025-11-25", modern: "2026-07-28" };

const messageSchema = z.looseObject({
  seq: z.number(),
  from: z.string(),
  fromName: z.string(),
  kind: z.string(),
  text: z.string(),
  event: z.string().optional(),
  memberName: z.string().optional(),
  intent: z.string().optional(),
  replyTo: z.number().optional(),
  ts: z.string(),
  ageSec: z.number(),
  redelivered: z.boolean().optional(),
  /** Of kind `file`. */
  fileId: z.string().optional(),
  name: z.string().optional(),
  size: z.number().optional(),
  sha256: z.string().optional(),
  /** Of a notice about a file. */
  file: z.object({ fileId: z.string(), name: z.string(), size: z.number(), savePath: z.string() }).optional(),
  error: z.object({ code: z.string() }).loose().optional(),
  local: z.boolean().optional(),
});
const memberSchema = z.object({
  id: z.string(),
  name: z.string(),
  isHost: z.boolean(),
  isSelf: z.boolean(),
  connected: z.boolean(),
  lastSeenSec: z.number(),
  readSeq: z.number(),
  /** What it tells of where it works. */
  workContext: z
    .strictObject({
      repository: z.string().optional(),
      branch: z.string().optional(),
      head: z.string().optional(),
      dirty: z.boolean().optional(),
      client: z.string().optional(),
    })
    .optional(),
  /** Of somebody who only reads along. */
  role: z.string().optional(),
  /** How its person lets it speak. */
  oversight: z.looseObject({ state: z.string() }).optional(),
});
const sharedSchema = z.looseObject({
  fileId: z.string(),
  name: z.string(),
  size: z.number(),
  sending: z.array(z.object({ to: z.string(), sent: z.number(), bytesPerSec: z.number() })).default([]),
});
const receivingSchema = z.looseObject({
  fileId: z.string(),
  status: z.string(),
  size: z.number(),
  received: z.number().optional(),
  bytesPerSec: z.number().optional(),
});
const filesSchema = z.object({
  // Lists in which there is nothing are left out.
  offered: z.array(z.looseObject({ fileId: z.string(), fromName: z.string(), seq: z.number() })).default([]),
  shared: z.array(sharedSchema).default([]),
  receiving: z.array(receivingSchema).default([]),
});
const patchSchema = z.looseObject({
  base: z.string().optional(),
  baseIs: z.string(),
  applies: z.string(),
  reason: z.string().optional(),
  failing: z.string().optional(),
  fileCount: z.number(),
  suspicious: z.array(z.string()),
  files: z.string(),
});
const inviteSchema = z.object({
  inviteId: z.string(),
  joinLink: z.string(),
  invite: z.string(),
  expiresInSec: z.number(),
});
/** Everything that any tool may answer with; each test asks for what it needs. */
const payloadSchema = z
  .object({
    tunnelId: z.string(),
    status: z.string(),
    joinLink: z.string(),
    invite: z.string(),
    invites: z.array(inviteSchema),
    goal: z.string(),
    seq: z.number(),
    unread: z.number(),
    lastSeq: z.number(),
    more: z.boolean(),
    next: z.string(),
    safetyCode: z.string(),
    messages: z.array(messageSchema),
    members: z.array(memberSchema),
    ended: z.object({ cause: z.string(), because: z.string() }),
    tunnels: z.array(z.looseObject({ tunnelId: z.string(), unread: z.number() })),
    fileId: z.string(),
    savePath: z.string(),
    size: z.number(),
    sha256: z.string(),
    received: z.number(),
    offeredTo: z.array(z.string()),
    files: filesSchema,
    // Of what was shared its facts, of what was received what was found.
    patch: z.union([patchSchema, z.looseObject({ base: z.string().optional(), files: z.number() })]),
  })
  .partial()
  .loose();
const refusalSchema = z.strictObject({
  unread: z.number(),
  error: z.strictObject({
    code: z.string(),
    message: z.string().min(1),
    next: z.string().min(1),
    retryable: z.boolean(),
  }),
});

export type Payload = z.infer<typeof payloadSchema>;
export type Message = z.infer<typeof messageSchema>;
export type Refusal = z.infer<typeof refusalSchema>["error"];

/** A place of its own for each process: nothing may be left in it, and nothing of the user may be seen from it. */
export interface Sandbox {
  readonly root: string;
  readonly env: Record<string, string>;
  /** Whatever lies in the places a server might write to. */
  left(): string[];
  remove(): void;
}

/** Without the private folder of the local endpoint, which is there while a server with a tunnel runs. */
export function besideEndpoint(files: readonly string[]): string[] {
  return files.filter((file) => !/tunnel-mcp-\d+$/.test(file));
}

export function sandbox(env: Record<string, string> = {}): Sandbox {
  const root = mkdtempSync(join(tmpdir(), "tunnel-e2e-"));
  const places = { TMPDIR: "tmp", XDG_CACHE_HOME: "cache", HOME: "home" };
  const paths = Object.entries(places).map(([name, place]) => [name, join(root, place)] as const);
  for (const [, path] of paths) mkdirSync(path);
  return {
    root,
    env: {
      ...getDefaultEnvironment(),
      ...Object.fromEntries(paths),
      TEMP: join(root, "tmp"),
      TMP: join(root, "tmp"),
      LOCALAPPDATA: join(root, "cache"),
      TUNNEL_TRANSPORT: "direct",
      TUNNEL_DOH: "off",
      // Tests of stays that outlive a process set their own.
      TUNNEL_KEEP_MINUTES: "0",
      ...env,
    },
    left: () => paths.flatMap(([, path]) => readdirSync(path).map((name) => join(path, name))),
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: {
    progress: number;
    total?: number | undefined;
    message?: string | undefined;
  }) => void;
  readonly timeout?: number;
}

/** A client, as it names itself to the server. */
interface Program {
  readonly name: string;
  readonly version: string;
}

/** The person at a client that draws forms: given what stands on one, answers it. */
export type DrawsForms = (message: string) => ElicitResult | Promise<ElicitResult>;

/** A server process with a real MCP client in front of it, as one developer has it. */
export class Agent {
  readonly client: Client;
  readonly box: Sandbox;
  readonly #transport: StdioClientTransport;
  #stderr = "";

  private constructor(box: Sandbox, era: Era, program: Program, ask?: DrawsForms) {
    this.box = box;
    this.#transport = new StdioClientTransport({
      command: NODE,
      args: [BUNDLE],
      env: this.box.env,
      cwd: this.box.root,
      stderr: "pipe",
    });
    this.#transport.stderr?.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    const mode = era === "modern" ? { pin: REVISION.modern } : ("legacy" as const);
    const capabilities = ask === undefined ? {} : { elicitation: { form: {} } };
    this.client = new Client(program, { versionNegotiation: { mode }, capabilities });
    if (ask !== undefined)
      this.client.setRequestHandler("elicitation/create", ({ params }) => ask(params.message));
  }

  static async start(
    env: Record<string, string> = {},
    era: Era = "legacy",
    program: Program = { name: "e2e", version: "0" },
    ask?: DrawsForms,
  ): Promise<Agent> {
    const agent = new Agent(sandbox(env), era, program, ask);
    await agent.#connect();
    return agent;
  }

  async #connect(): Promise<void> {
    started.add(this);
    await this.client.connect(this.#transport);
  }

  /**
   * The same developer's client after its server has ended: killed, or since the client closed its end, as one does that connects
   * anew.
   */
  async restarted(how: "killed" | "closed"): Promise<Agent> {
    await this.ended(how);
    return this.again();
  }

  /** The next client in the same folders. */
  again(): Promise<Agent> {
    return Agent.in(this.box);
  }

  /** A client in the folders of a developer who has worked there before. */
  static async in(box: Sandbox): Promise<Agent> {
    const agent = new Agent(box, "legacy", { name: "e2e", version: "0" });
    await agent.#connect();
    return agent;
  }

  /** Ends the server alone: its folders stay. */
  async ended(how: "killed" | "closed"): Promise<void> {
    started.delete(this);
    const { pid } = this;
    if (how === "killed") process.kill(pid, "SIGKILL");
    await this.client.close();
    await until(`${pid} is gone`, () => !isRunning(pid));
  }

  get pid(): number {
    return this.#transport.pid ?? 0;
  }

  /** What the process has written to standard error. */
  get stderr(): string {
    return this.#stderr;
  }

  async result(
    tool: string,
    args: Record<string, unknown> = {},
    options: CallOptions = {},
  ): Promise<CallToolResult> {
    const { onprogress, ...rest } = options;
    if (tool === "tunnel_receive") args = this.#asOffered(args);
    const request = { ...rest, ...(onprogress === undefined ? {} : { onprogress }) };
    const result = await this.client.callTool({ name: tool, arguments: args }, request);
    // Both forms of every result, errors included, must say the same.
    const [part] = result.content;
    expect(result.content).toHaveLength(1);
    expect(JSON.parse(part?.type === "text" ? part.text : "")).toEqual(result.structuredContent);
    remember(result.structuredContent);
    return result;
  }

  /** As an agent calls it: with the name and the sender of the offer, and the absolute path for a plain name. */
  #asOffered({ savePath, ...args }: Record<string, unknown>): Record<string, unknown> {
    const isPlain =
      typeof savePath === "string" && /^(?:\.\/)?[^\\/]+$/.test(savePath) && !/^\.{1,2}$/.test(savePath);
    return {
      ...(offers.get(String(args["fileId"])) ?? { name: "x", from: "x" }),
      ...args,
      ...(savePath === undefined ? {} : { savePath: isPlain ? join(this.folder, savePath) : savePath }),
    };
  }

  /** Its working directory, without symbolic links. */
  get folder(): string {
    return realpathSync(this.box.root);
  }

  async call(tool: string, args: Record<string, unknown> = {}, options: CallOptions = {}): Promise<Payload> {
    const { isError, structuredContent } = await this.result(tool, args, options);
    if (isError === true) throw new Error(`${tool}: ${JSON.stringify(structuredContent)}`);
    return payloadSchema.parse(structuredContent);
  }

  /** The error that a tool must answer with. */
  async refused(tool: string, args: Record<string, unknown> = {}): Promise<Refusal> {
    const { isError, structuredContent } = await this.result(tool, args);
    expect({ isError, structuredContent }).toMatchObject({ isError: true });
    return refusalSchema.parse(structuredContent).error;
  }

  /** Listens until all of `count` chat messages have come. */
  async hear(count = 1, args: Record<string, unknown> = {}): Promise<Message[]> {
    const heard: Message[] = [];
    while (heard.length < count) {
      const { messages = [], ended } = await this.call("tunnel_listen", { timeoutMs: 5_000, ...args });
      heard.push(...messages.filter(({ kind }) => kind === "chat"));
      if (ended !== undefined) break;
    }
    return heard;
  }

  async close(): Promise<void> {
    started.delete(this);
    await this.client.close();
    this.box.remove();
  }
}

/** For `afterEach` where a process serves more than one test: ends all of its tunnels that have not ended yet. */
export async function closeTunnels(...agents: readonly (Agent | undefined)[]): Promise<void> {
  for (const agent of agents) {
    const { structuredContent } = (await agent?.result("tunnel_status")) ?? {};
    const { tunnelId, tunnels = [] } = payloadSchema.parse(structuredContent ?? {});
    for (const id of new Set([tunnelId, ...tunnels.map((one) => one.tunnelId)]))
      if (id !== undefined) await agent?.result("tunnel_close", { tunnelId: id });
  }
}

const started = new Set<Agent>();

/** Files that agents of this test have been told of or have offered, as the message that offers each one shows it. */
const offers = new Map<string, { name: string; from: string }>();

const offersSchema = z.looseObject({
  messages: z.array(z.looseObject({ kind: z.string() })).default([]),
  fileId: z.string().optional(),
  name: z.string().optional(),
  offeredTo: z.unknown().optional(),
  members: z.array(z.looseObject({ id: z.string(), isSelf: z.boolean() })).default([]),
});

function remember(payload: unknown): void {
  const { messages, fileId, name, offeredTo, members } = offersSchema.parse(payload ?? {});
  for (const message of messages) {
    const heard = messageSchema.safeParse(message);
    if (heard.success && heard.data.fileId !== undefined)
      offers.set(heard.data.fileId, { name: heard.data.name ?? "", from: heard.data.from });
  }
  const self = members.find(({ isSelf }) => isSelf);
  if (fileId !== undefined && name !== undefined && offeredTo !== undefined && self !== undefined)
    offers.set(fileId, { name, from: self.id });
}

/** For `afterEach` and `afterAll`: no test leaves a process behind. */
export async function closeAgents(): Promise<void> {
  await Promise.all([...started].map((agent) => agent.close()));
}

let other: Agent | undefined;

/**
 * The other side of a test that looks at nothing of its process: the same one for all tests of a file, each of which finds it
 * without a tunnel. Goes with {@link closeOtherSide}.
 */
export async function otherSide(): Promise<Agent> {
  // A test may have ended it.
  if (other?.client.transport === undefined) await closeOtherSide();
  await closeTunnels(other);
  other ??= await Agent.start();
  started.delete(other);
  return other;
}

/** For `afterAll`. */
export async function closeOtherSide(): Promise<void> {
  await other?.close();
  other = undefined;
}

/** An agent that has opened a tunnel and one that has joined it. */
export async function pair(
  host: Agent,
  guest: Agent,
  goal = "align the API",
): Promise<{ opened: Payload; joined: Payload }> {
  const opened = await host.call("tunnel_open", { goal, name: "ana" });
  const joined = await guest.call("tunnel_join", { joinLink: opened.joinLink, name: "ben" });
  return { opened, joined };
}

export function portOf(joinLink = ""): number {
  return Number(/:(\d+)\/t\//.exec(joinLink)?.[1]);
}

/** What a peer said, without the fence. */
export function unfenced(text: string): string {
  return text.split("\n").slice(1, -1).join("\n");
}
