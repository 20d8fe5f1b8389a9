import * as z from "zod/mini";
import { KINDS } from "../../uplink/messages.ts";

/** Most entries of one answer. */
const MAX_PAGE = 500;
const USUAL_PAGE = 50;

const count = z.number().check(z.int(), z.nonnegative());
const moment = z.iso.datetime();
const kind = z.enum(KINDS);
/** Opaque, and the same as long as the relay keeps its key: the log calls the tunnel by it, too. */
const tunnelId = z.string().check(z.regex(/^[0-9a-f]{16}$/));
const cursor = z.string().check(z.regex(/^\d{1,15}$/));

/** Ways in which a visit can end. */
const END = z.enum(["done", "cut", "no-host", "unknown", "too-many", "refused", "limit"]);

export const failure = z
  .object({
    error: z.object({
      code: z.string().check(z.describe("for programs: does not change")),
      message: z.string().check(z.describe("for people")),
    }),
  })
  .check(z.meta({ id: "Failure" }));

export const health = z.object({ status: z.literal("alive") }).check(z.meta({ id: "Health" }));

export const readiness = z
  .object({
    ready: z.boolean(),
    reason: z
      .nullable(z.enum(["draining", "claims-away"]))
      .check(z.describe("draining: it ends; claims-away: the register of names cannot be asked")),
  })
  .check(z.meta({ id: "Readiness" }));

export const status = z
  .object({
    version: z.string(),
    node: z.string(),
    ready: z.boolean(),
    reason: readiness.shape.reason,
    startedAt: moment,
    uptimeSec: count,
    auth: z.enum(["open", "tokens", "provider"]).check(z.describe("who decides who may register")),
    domain: z.nullable(z.string()).check(z.describe("HTTP services are at NAME.DOMAIN")),
    keepsNames: z.boolean().check(z.describe("names outlive a restart")),
    tunnels: z.object({ total: count, room: count, http: count, tcp: count }),
    visitors: count.check(z.describe("guests, requests and connections at this moment")),
    held: count.check(z.describe("visitors that wait for a host that is away")),
    connections: count.check(z.describe("open connections of any kind at the public listener")),
    nodes: z
      .nullable(
        z.array(
          z.object({
            node: z.string(),
            address: z.nullable(z.string()).check(z.describe("for other nodes")),
            leaving: z.boolean(),
            tunnels: count,
            connections: count,
          }),
        ),
      )
      .check(
        z.describe("all that are there, of a cluster; null for a single node, and where the engine is away"),
      ),
  })
  .check(z.meta({ id: "Status" }));

export const tunnel = z
  .object({
    id: tunnelId,
    kind,
    name: z.string(),
    url: z.string().check(z.describe("whole: scheme, host, port and path")),
    state: z.enum(["registered", "ready"]).check(z.describe("visitors are sent to it once it is ready")),
    since: moment,
    tokenId: z.nullable(z.string()),
    tokenLabel: z.nullable(z.string()),
    source: z.string().check(z.describe("the address from which it has registered")),
    visitors: count.check(z.describe("at this moment")),
    visits: count.check(z.describe("that are over")),
    bytesIn: count.check(z.describe("from visitors, of visits that are over")),
    bytesOut: count.check(z.describe("to visitors, of visits that are over")),
  })
  .check(z.meta({ id: "Tunnel" }));

export const tunnels = z
  .object({ total: count, tunnels: z.array(tunnel), next: z.nullable(cursor) })
  .check(z.meta({ id: "Tunnels" }));

export const visit = z
  .object({
    id: cursor,
    type: z
      .enum(["request", "connection"])
      .check(z.describe("a connection is a guest, a TCP connection or a WebSocket")),
    at: moment.check(z.describe("its beginning")),
    lastedMs: count,
    method: z.nullable(z.string()),
    path: z.nullable(z.string()).check(z.describe("without the query; cut after 200 characters")),
    status: z.nullable(count),
    end: END,
    bytesIn: count,
    bytesOut: count,
    source: z
      .string()
      .check(z.describe("a short word for the address, the same for one day; with log-names the address")),
  })
  .check(z.meta({ id: "Visit" }));

export const requests = z
  .object({ total: count, requests: z.array(visit) })
  .check(z.meta({ id: "Requests" }));

export const token = z
  .object({
    id: z.string(),
    label: z.string(),
    kinds: z.array(kind),
    names: z.array(z.string()).check(z.describe("of HTTP services; patterns have one *")),
    limits: z.object({
      tunnels: z.nullable(count),
      names: z.nullable(count),
      inFlight: z.nullable(count),
      bytesPerSecond: z.nullable(count),
      requestBytes: z.nullable(count),
      responseBytes: z.nullable(count),
    }),
    createdAt: moment,
    expiresAt: z.nullable(moment),
    isExpired: z.boolean(),
    lastUsedAt: z.nullable(moment).check(z.describe("the last registration that this relay remembers")),
    tunnels: count.check(z.describe("open with it now")),
  })
  .check(z.meta({ id: "Token" }));

export const tokens = z.object({ tokens: z.array(token) }).check(z.meta({ id: "Tokens" }));

export const ended = z
  .object({
    id: cursor,
    tunnel: tunnelId,
    kind,
    name: z.string(),
    url: z.string(),
    tokenId: z.nullable(z.string()),
    source: z.string().check(z.describe("a short word for the address of its host")),
    since: moment,
    until: moment,
    why: z
      .string()
      .check(z.describe("a reason of the relay, released (by its host) or cut (its line was lost)")),
    visits: count,
    bytesIn: count,
    bytesOut: count,
  })
  .check(z.meta({ id: "Ended" }));

export const history = z
  .object({ total: count, history: z.array(ended), next: z.nullable(cursor) })
  .check(z.meta({ id: "History" }));

const limit = z._default(
  z.pipe(
    z.pipe(z.string().check(z.regex(/^[1-9]\d{0,2}$/)), z.transform(Number)),
    z.number().check(z.int(), z.minimum(1), z.maximum(MAX_PAGE)),
  ),
  USUAL_PAGE,
);

export const tunnelsQuery = z.strictObject({
  limit,
  kind: z.optional(kind),
  after: z.optional(cursor).check(z.describe("next of the page before")),
});
export const requestsQuery = z.strictObject({ limit });
export const historyQuery = z.strictObject({
  limit,
  kind: z.optional(kind),
  before: z.optional(cursor).check(z.describe("next of the page before")),
});
export const noQuery = z.strictObject({});

export type Status = z.infer<typeof status>;
export type TunnelView = z.infer<typeof tunnel>;
export type VisitView = z.infer<typeof visit>;
export type TokenView = z.infer<typeof token>;
export type EndedView = z.infer<typeof ended>;
export type Readiness = z.infer<typeof readiness>;
