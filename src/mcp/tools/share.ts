import { resolve } from "node:path";
import * as z from "zod";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ROOM } from "../../protocol/base/limits.ts";
import { settled, wait } from "../../runtime/wait.ts";
import type { LocalFiles } from "../../session/files/local-files.ts";
import type { Preparation, PreparationRequest } from "../../session/files/preparations.ts";
import type { OwnOffer } from "../../session/files/requests.ts";
import type { Answer } from "../../session/saying/sent.ts";
import { boundsOf, listed, within } from "../results/bounds.ts";
import { defineTool, type ToolCall } from "../calls/define-tool.ts";
import { preparingView, sizeText } from "../../view/files.ts";
import { sharedPatchView } from "../../view/patches.ts";
import { tunnelId } from "../calls/inputs.ts";
import { answerView, HELD } from "../results/held.ts";
import { asNamed } from "../results/labels.ts";
import { membersOf } from "../results/members.ts";
import { sharedPatchFields } from "../results/files/patches.ts";
import { sharedTreeFields } from "../results/files/trees.ts";
import { SERVICE_KINDS } from "../../protocol/services/kinds.ts";
import type { OfferRequest } from "../../services/tunnels/tunnel-services.ts";
import type { Session } from "../../session/sessions.ts";
import { ownServiceView } from "../../view/services.ts";
import type { Payload } from "../results/result.ts";
import { removedText } from "../../view/words/removed.ts";

interface Wish {
  readonly path?: string | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly patch?: boolean | undefined;
  readonly range?: string | undefined;
  readonly commits?: boolean | undefined;
}

/** The content of one share: a file, a folder, or a change made into a patch. @throws {TunnelError} input-invalid */
function contentOf(wish: Wish, localFiles: LocalFiles): PreparationRequest["content"] {
  const { path, paths, patch, range, commits } = wish;
  const given = [path !== undefined, paths !== undefined, patch === true].filter(Boolean).length;
  if (given !== 1)
    throw new TunnelError("input-invalid", { detail: "give one of path, paths and patch: true" });
  if (patch === true) {
    if (commits === true && range === undefined)
      throw new TunnelError("input-invalid", { detail: "commits goes with range" });
    return (signal) => localFiles.patch(range, signal, commits);
  }
  if (range !== undefined || commits !== undefined)
    throw new TunnelError("input-invalid", { detail: "range and commits go with patch: true" });
  if (path !== undefined) return (signal, onProgress) => localFiles.share(path, { signal, onProgress });
  return (signal, onProgress) => localFiles.tree(paths ?? [], { signal, onProgress });
}

const GOES_ON =
  "It takes longer than one call may, and goes on by itself. Call tunnel_share again with the same arguments to wait for it, or go on: a `local` notice tells when it is offered, or why not. tunnel_close ends it.";

/**
 * Waits until it is offered or the time is up. A cancelled call ends only the wait: the client's own time limit may be why.
 * @returns undefined while it goes on
 * @throws {TunnelError} cancelled, and why it could not be offered
 */
async function follow(preparation: Preparation, call: ToolCall): Promise<OwnOffer<Answer> | undefined> {
  const leave = preparation.attend();
  const stopFollowing = preparation.onProgress((done, total) =>
    call.progress(`reading the file, ${sizeText(done)} of ${sizeText(total)}`, { done, total }),
  );
  const { signal } = call;
  await wait(call.clock, call.answerMs, { signal, until: settled(preparation.over) });
  stopFollowing();
  const { state } = preparation;
  leave(!signal.aborted && state.name !== "preparing");
  if (signal.aborted) throw new TunnelError("cancelled");
  if (state.name === "failed") throw state.error;
  return state.name === "offered" ? state.offer : undefined;
}

const OFFERED =
  "Members reach it with tunnel_connect; your human is asked before each member's first connection. Keep the service running. tunnel_status shows who is connected; tunnel_connect({stop: serviceId}) withdraws it.";

async function offerService(tunnel: Session, request: OfferRequest, call: ToolCall): Promise<Payload> {
  const services = (await call.services.get()).of(tunnel);
  const to = request.to && asNamed(tunnel.presence(), request.to);
  const { own, sent } = await services.offer({ ...request, to }, call.signal);
  const { warnings } = own.handler;
  return {
    tunnelId: tunnel.tunnelId,
    ...ownServiceView(own, services, call.clock.now()),
    ...answerView(sent),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...membersOf(tunnel, boundsOf(call.limit).membersAside),
    unread: tunnel.inbox.unread,
    next: sent.status === "held" ? HELD : OFFERED,
  };
}

export const shareTool = defineTool({
  name: "tunnel_share",
  title: "Share files or a service",
  description:
    "Offers files, a git change (`patch`) or a `service` of this machine to all, or only to those in `to`, sealed. " +
    "The bytes stay here until tunnel_receive fetches them: leave files as they are. Secrets, keys, .env files, files " +
    "outside this folder, services and what cannot be searched wait for your human (`held`). `preparing`: call again " +
    "with the same arguments.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    path: z.string().min(1).optional().describe("In the working directory, or absolute."),
    paths: z
      .array(z.string())
      .min(1)
      .optional()
      .describe("Files and folders as one; ignored, secret ones left out."),
    patch: z.boolean().optional().describe("The uncommitted change, or `range`."),
    range: z
      .string()
      .min(1)
      .optional()
      .describe("One commit, or main..HEAD: what HEAD changed since it left main."),
    commits: z.boolean().optional().describe("`range` as commits, for git am."),
    note: z.string().optional().describe("What it is, and what to do with it."),
    to: z
      .array(z.string())
      .min(1)
      .max(ROOM.maxMembers)
      .optional()
      .describe("Names or ids of the only receivers; sealed to them."),
    service: z
      .strictObject({
        target: z.union([z.string(), z.number()]).describe("Port or URL; mcp: or a configured name."),
        kind: z.enum(SERVICE_KINDS),
        name: z.string().optional(),
        readOnly: z.boolean().optional().describe("http: only GET, HEAD, OPTIONS."),
        tools: z.array(z.string()).min(1).optional().describe("mcp: allowed, as search_*."),
      })
      .optional()
      .describe("Used with tunnel_connect."),
    expiresInMinutes: z.int().min(1).optional().describe("Of a service."),
    maxConnections: z.int().min(1).optional().describe("At once."),
    confirmEach: z.boolean().optional().describe("Ask your human each time."),
    tunnelId,
  }),
  // What a patch rests on is every file of the repository: only a call that goes on is shared.
  repeats: ({ path, service }) => (path === undefined && service === undefined ? "waits" : "one"),
  restsOn: ({ path }, { localFiles }) => (path === undefined ? "" : localFiles.traceOf(path)),
  async run({ path, paths, patch, range, commits, note, to, tunnelId: id, service, ...limits }, call) {
    const tunnel = call.sessions.resolve(id);
    tunnel.touch();
    if (service !== undefined) {
      if ([path, paths, patch, range, commits].some((one) => one !== undefined))
        throw new TunnelError("input-invalid", {
          detail: "service goes without path, paths, patch, range and commits",
        });
      return offerService(tunnel, { ...service, ...limits, note, to }, call);
    }
    if (Object.keys(limits).length > 0)
      throw new TunnelError("input-invalid", {
        detail: `${Object.keys(limits).join(", ")}: goes with service`,
      });
    const { localFiles } = call.sessions;
    const content = contentOf({ path, paths, patch, range, commits }, localFiles);
    const whom = to && asNamed(tunnel.presence(), to);
    const file = path === undefined ? undefined : resolve(localFiles.cwd, path);
    const key = JSON.stringify([file, paths, range, commits, note, whom]);
    const shown = path ?? paths?.join(", ");
    const preparation = await tunnel.preparations.begin({ key, path: shown, note, to: whom, content });
    const offered = await follow(preparation, call);
    if (offered === undefined)
      return {
        tunnelId: tunnel.tunnelId,
        status: "preparing",
        ...preparingView(preparation),
        unread: tunnel.inbox.unread,
        next: GOES_ON,
      };
    const { sent, offeredTo, removed, patch: facts, change, tree, contents, ...offer } = offered;
    return {
      tunnelId: tunnel.tunnelId,
      ...offer,
      patch:
        facts === undefined || change === undefined
          ? undefined
          : sharedPatchFields(sharedPatchView(facts, change)),
      tree: tree && contents && sharedTreeFields(tree, contents, call.limit),
      ...answerView(sent),
      removed: removedText(removed),
      ...listed("offeredTo", within(offeredTo, boundsOf(call.limit).membersAside), offeredTo.length),
      ...membersOf(tunnel, boundsOf(call.limit).membersAside),
      unread: tunnel.inbox.unread,
      next:
        sent.status === "held"
          ? HELD
          : "The bytes go when somebody receives it: keep the tunnel open and what you share as it is. tunnel_status shows who does.",
    };
  },
});
