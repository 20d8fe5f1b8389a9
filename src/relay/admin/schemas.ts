import * as z from "zod";
import { KINDS } from "../../uplink/messages.ts";

/** Most entries of one answer. */
export const MAX_PAGE = 500;
const USUAL_PAGE = 50;

const count = z.number().int().nonnegative();
const moment = z.iso.datetime();
const kind = z.enum(KINDS);
/** Opaque, and the same as long as the relay keeps its key: the log calls the tunnel by it, too. */
const tunnelId = z.string().regex(/^[0-9a-f]{16}$/);
const cursor = z.string().regex(/^\d{1,15}$/);

/** Ways in which a visit can end. */
const END = z.enum(["done", "cut", "no-host", "unknown", "too-many", "refused", "limit"]);

export const failure = z
  .object({
    error: z.object({
      code: z.string().describe("for programs: does not change"),
      message: z.string().describe("for people"),
    }),
  })
  .meta({ id: "Failure" });

export const health = z.object({ status: z.literal("alive") }).meta({ id: "Health" });

export const readiness = z
  .object({
    ready: z.boolean(),
    reason: z
      .enum(["draining", "claims-away"])
      .nullable()
      .describe("draining: it ends; claims-away: the register of names cannot be asked"),
  })
  .meta({ id: "Readiness" });

export const status = z
  .object({
    version: z.string(),
    node: z.string(),
    ready: z.boolean(),
    reason: readiness.shape.reason,
    startedAt: moment,
    uptimeSec: count,
    auth: z.enum(["open", "tokens", "provider"]).describe("who decides who may register"),
    domain: z.string().nullable().describe("HTTP services are at NAME.DOMAIN"),
    keepsNames: z.boolean().describe("names outlive a restart"),
    tunnels: z.object({ total: count, room: count, http: count, tcp: count }),
    visitors: count.describe("guests, requests and connections at this moment"),
    held: count.describe("visitors that wait for a host that is away"),
    connections: count.describe("open connections of any kind at the public listener"),
  })
  .meta({ id: "Status" });

export const tunnel = z
  .object({
    id: tunnelId,
    kind,
    name: z.string(),
    url: z.string().describe("whole: scheme, host, port and path"),
    state: z.enum(["registered", "ready"]).describe("visitors are sent to it once it is ready"),
    since: moment,
    tokenId: z.string().nullable(),
    tokenLabel: z.string().nullable(),
    source: z.string().describe("the address from which it has registered"),
    visitors: count.describe("at this moment"),
    visits: count.describe("that are over"),
    bytesIn: count.describe("from visitors, of visits that are over"),
    bytesOut: count.describe("to visitors, of visits that are over"),
  })
  .meta({ id: "Tunnel" });

export const tunnels = z
  .object({ total: count, tunnels: z.array(tunnel), next: cursor.nullable() })
  .meta({ id: "Tunnels" });

export const visit = z
  .object({
    id: cursor,
    type: z
      .enum(["request", "connection"])
      .describe("a connection is a guest, a TCP connection or a WebSocket"),
    at: moment.describe("its beginning"),
    lastedMs: count,
    method: z.string().nullable(),
    path: z.string().nullable().describe("without the query; cut after 200 characters"),
    status: count.nullable(),
    end: END,
    bytesIn: count,
    bytesOut: count,
    source: z
      .string()
      .describe("a short word for the address, the same for one day; with log-names the address"),
  })
  .meta({ id: "Visit" });

export const requests = z.object({ total: count, requests: z.array(visit) }).meta({ id: "Requests" });

export const token = z
  .object({
    id: z.string(),
    label: z.string(),
    kinds: z.array(kind),
    names: z.array(z.string()).describe("of HTTP services; patterns have one *"),
    limits: z.object({
      tunnels: count.nullable(),
      inFlight: count.nullable(),
      bytesPerSecond: count.nullable(),
      requestBytes: count.nullable(),
      responseBytes: count.nullable(),
    }),
    createdAt: moment,
    expiresAt: moment.nullable(),
    isExpired: z.boolean(),
    lastUsedAt: moment.nullable().describe("the last registration that this relay remembers"),
    tunnels: count.describe("open with it now"),
  })
  .meta({ id: "Token" });

export const tokens = z.object({ tokens: z.array(token) }).meta({ id: "Tokens" });

export const ended = z
  .object({
    id: cursor,
    tunnel: tunnelId,
    kind,
    name: z.string(),
    url: z.string(),
    tokenId: z.string().nullable(),
    source: z.string().describe("a short word for the address of its host"),
    since: moment,
    until: moment,
    why: z.string().describe("a reason of the relay, released (by its host) or cut (its line was lost)"),
    visits: count,
    bytesIn: count,
    bytesOut: count,
  })
  .meta({ id: "Ended" });

export const history = z
  .object({ total: count, history: z.array(ended), next: cursor.nullable() })
  .meta({ id: "History" });

const limit = z
  .string()
  .regex(/^[1-9]\d{0,2}$/)
  .transform(Number)
  .pipe(z.number().int().min(1).max(MAX_PAGE))
  .default(USUAL_PAGE);

export const tunnelsQuery = z.strictObject({
  limit,
  kind: kind.optional(),
  after: cursor.optional().describe("next of the page before"),
});
export const requestsQuery = z.strictObject({ limit });
export const historyQuery = z.strictObject({
  limit,
  kind: kind.optional(),
  before: cursor.optional().describe("next of the page before"),
});
export const noQuery = z.strictObject({});

export type Status = z.infer<typeof status>;
export type TunnelView = z.infer<typeof tunnel>;
export type VisitView = z.infer<typeof visit>;
export type TokenView = z.infer<typeof token>;
export type EndedView = z.infer<typeof ended>;
export type Readiness = z.infer<typeof readiness>;
