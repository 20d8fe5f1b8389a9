import * as z from "zod";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { FILE, ROOM } from "../../protocol/base/limits.ts";
import { offerFile } from "../../session/files/requests.ts";
import { BOUNDS, listed, within } from "../results/bounds.ts";
import { defineTool, type ToolCall } from "./define-tool.ts";
import { sizeText } from "../../view/files.ts";
import { tunnelId } from "./inputs.ts";
import { asNamed } from "../results/labels.ts";
import { membersOf } from "../results/members.ts";

/** The content of one share: a file, or a change made into a patch. */
function contentOf(
  {
    path,
    patch,
    range,
  }: { path?: string | undefined; patch?: boolean | undefined; range?: string | undefined },
  call: ToolCall,
) {
  const { localFiles } = call.sessions;
  const { signal } = call;
  if ((path === undefined) === (patch !== true))
    throw new TunnelError("input-invalid", { detail: "give either path or patch: true" });
  if (path === undefined) return localFiles.patch(range, signal);
  if (range !== undefined) throw new TunnelError("input-invalid", { detail: "range goes with patch: true" });
  const onProgress = (done: number, total: number): void =>
    call.progress(`reading the file, ${sizeText(done)} of ${sizeText(total)}`, { done, total });
  return localFiles.share(path, { signal, onProgress });
}

export const shareTool = defineTool({
  name: "tunnel_share",
  title: "Share a file or a patch",
  description:
    "Offers a file to everybody in the tunnel, or only to those in `to`. They get its name, size and hash, sealed. " +
    "The bytes stay here and go to those who call tunnel_receive while this tunnel is open, so leave the file as it " +
    "is. With `patch` it offers the change in the git repository here as a patch, with its base commit. Files must " +
    "lie in the working directory, or in a folder that your human has named; keys, .env and credential files are " +
    "refused.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    path: z.string().min(1).optional().describe("The file, relative to the working directory or absolute."),
    patch: z.boolean().optional().describe("Share the uncommitted change (or `range`) instead of a file."),
    range: z
      .string()
      .min(1)
      .optional()
      .describe("With patch: commits instead, e.g. main..HEAD, or one commit."),
    note: z
      .string()
      .optional()
      .describe(`What it is and what to do with it, up to ${FILE.maxNoteChars} characters.`),
    to: z
      .array(z.string())
      .min(1)
      .max(ROOM.maxMembers)
      .optional()
      .describe("Names or ids of the only receivers; nobody else can open it, not even the host."),
    tunnelId,
  }),
  restsOn: ({ path }, { localFiles }) => (path === undefined ? "" : localFiles.traceOf(path)),
  async run({ path, patch, range, note, to, tunnelId: id }, call) {
    const tunnel = call.sessions.resolve(id);
    tunnel.touch();
    const content = () => contentOf({ path, patch, range }, call);
    const whom = to && asNamed(tunnel.presence(), to);
    const { sent, offeredTo, ...offer } = await offerFile(tunnel, { note, to: whom, content });
    return {
      tunnelId: tunnel.tunnelId,
      ...offer,
      ...sent,
      ...listed("offeredTo", within(offeredTo, BOUNDS.membersAsideBytes), offeredTo.length),
      ...membersOf(tunnel, BOUNDS.membersAsideBytes),
      unread: tunnel.inbox.unread,
      next: "The bytes go when somebody receives it: keep the tunnel open and the file as it is. tunnel_status shows who does.",
    };
  },
});
