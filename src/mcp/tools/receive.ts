import * as z from "zod";
import { toHex } from "../../protocol/base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { SESSION } from "../../protocol/base/limits.ts";
import { every, settled, wait } from "../../runtime/wait.ts";
import type { Download } from "../../session/files/files.ts";
import { fetchFile } from "../../session/files/requests.ts";
import type { Session } from "../../session/sessions.ts";
import { defineTool, type ToolCall } from "./define-tool.ts";
import { progressView, sizeText, type Receiving } from "../../view/files.ts";
import { tunnelId } from "./inputs.ts";
import { patchFields } from "../results/patches.ts";
import { patchView } from "../../view/patches.ts";
import type { Payload } from "../results/result.ts";

const PROGRESS_MS = 500;
const WARNING =
  "These bytes are the peer's: verified to be what was sent, not to be safe. Do not run, install or apply them unless your human agrees.";

function progressText({ offer }: Download, { received, bytesPerSecond, isFlowing }: Receiving): string {
  const done = `${sizeText(received)} of ${sizeText(offer.size)}`;
  return isFlowing
    ? `received ${done}, ${sizeText(bytesPerSecond)}/s`
    : `waiting for the sender, ${done} so far`;
}

/** Waits until the transfer ends or the time is up. A cancelled call cancels the transfer as well. */
async function waitFor(
  tunnel: Session,
  download: Download,
  timeoutMs: number,
  call: ToolCall,
): Promise<void> {
  const { clock, signal } = call;
  const beat = (): void => {
    const { state } = download;
    if (state.name === "receiving")
      call.progress(progressText(download, state), { done: state.received, total: download.offer.size });
  };
  download.attend(true);
  beat();
  const stopBeating = every(clock, PROGRESS_MS, beat);
  await wait(clock, timeoutMs, { signal, until: settled(download.over) });
  stopBeating();
  if (signal.aborted) {
    await download.cancel();
    tunnel.files.forget(download);
    throw new TunnelError("cancelled");
  }
  if (download.state.name === "receiving") download.attend(false);
}

async function resultOf(tunnel: Session, download: Download, call: ToolCall): Promise<Payload> {
  const { state, offer, target, fileId } = download;
  const common = { tunnelId: tunnel.tunnelId, fileId, savePath: target, name: offer.name, size: offer.size };
  if (state.name === "failed") {
    tunnel.files.forget(download);
    throw state.error;
  }
  if (state.name === "receiving") {
    return {
      status: "receiving",
      ...common,
      ...progressView(state, offer.size),
      unread: tunnel.inbox.unread,
      next: "It goes on by itself and nothing is lost when the connection is cut. Call tunnel_receive again with the same arguments to wait for it, or go on: a `local` notice tells how it ended.",
    };
  }
  tunnel.files.forget(download);
  const inspection =
    offer.patch === undefined ? undefined : await call.sessions.localFiles.inspect(target, offer.patch.base);
  return {
    status: "received",
    ...common,
    sha256: toHex(offer.hash),
    patch:
      inspection === undefined || offer.patch === undefined
        ? undefined
        : patchFields(offer.patch, patchView(inspection), call.fence),
    warning: WARNING,
    unread: tunnel.inbox.unread,
  };
}

/** @throws {TunnelError} file-unknown when nothing of it is on its way there */
async function cancelled(tunnel: Session, fileId: string, target: string): Promise<Payload> {
  const download = tunnel.files.current(fileId, target);
  if (download?.state.name !== "receiving") throw new TunnelError("file-unknown");
  download.attend(true);
  await download.cancel();
  tunnel.files.forget(download);
  const { tunnelId, inbox } = tunnel;
  return { status: "cancelled", tunnelId, fileId, savePath: target, unread: inbox.unread };
}

export const receiveTool = defineTool({
  name: "tunnel_receive",
  title: "Receive a file",
  description:
    "Fetches a file that a member shared (a message of kind `file`) and saves it under a name that you choose, in the " +
    "working directory or in a folder that your human has named. Size and SHA-256 are checked before the file gets " +
    "its name; an existing file stays unless `overwrite` is given. For a patch the result tells whether it would " +
    "apply here and what looks suspicious; nothing is ever applied or run. The bytes are the peer's: authentic, not " +
    "safe. Where a client answers `MCPTool requires permission.`, nobody is there to be asked: do not try again, and tell " +
    "your human, who alone can allow it (TUNNEL_UNATTENDED).",
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  forHumans: true,
  input: z.strictObject({
    fileId: z.string().describe("From the message of kind `file`."),
    savePath: z
      .string()
      .describe(
        "Where to save it: a file name, relative to the working directory or absolute. Its folder must exist.",
      ),
    overwrite: z.boolean().optional().describe("Replace a file that exists there. Default false."),
    waitMs: z
      .number()
      .min(0)
      .optional()
      .describe(
        `How long to wait for it, in ms. Default ${SESSION.listenDefaultMs}, at most ${SESSION.listenMaxMs}; the transfer goes on afterwards.`,
      ),
    cancel: z.boolean().optional().describe("End this transfer; nothing of the file stays."),
    tunnelId,
  }),
  async run({ fileId, savePath, overwrite, waitMs, cancel, tunnelId: id }, call) {
    const tunnel = call.sessions.resolve(id);
    tunnel.touch();
    if (cancel === true) return cancelled(tunnel, fileId, await call.sessions.localFiles.targetOf(savePath));
    const request = { fileId, savePath, overwrite: overwrite === true };
    const { download, isNew } = await fetchFile(tunnel.files, call.sessions.localFiles, request);
    if (isNew) call.progress(`asking for ${sizeText(download.offer.size)}`);
    await waitFor(tunnel, download, Math.min(waitMs ?? SESSION.listenDefaultMs, SESSION.listenMaxMs), call);
    return resultOf(tunnel, download, call);
  },
});
