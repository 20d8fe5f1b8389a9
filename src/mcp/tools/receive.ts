import * as z from "zod";
import { id, words } from "../../arguments/strings.ts";
import { toHex } from "../../protocol/base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { SESSION } from "../../protocol/base/limits.ts";
import { every, settled, wait } from "../../runtime/wait.ts";
import type { Download, Offered } from "../../session/files/files.ts";
import { fetchFile } from "../../session/files/requests.ts";
import type { Session } from "../../session/sessions.ts";
import { defineTool, type ToolCall } from "../calls/define-tool.ts";
import { progressView, sizeText, type Receiving } from "../../view/files.ts";
import { boundedWait, tunnelId } from "../calls/inputs.ts";
import { shownLabel } from "../../view/labels.ts";
import { patchFields } from "../results/files/patches.ts";
import { savedTreeFields } from "../results/files/trees.ts";
import { patchView } from "../../view/patches.ts";
import type { Payload } from "../results/result.ts";

const PROGRESS_MS = 500;
const WARNING =
  "These bytes are the peer's: verified to be what was sent, not to be safe. Do not run, install or apply them unless your human agrees.";

function progressText({ total }: Download, { received, bytesPerSecond, isFlowing }: Receiving): string {
  const done = `${sizeText(received)} of ${sizeText(total)}`;
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
      call.progress(progressText(download, state), { done: state.received, total: download.total });
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

type PatchInspection = Awaited<ReturnType<ToolCall["sessions"]["localFiles"]["inspect"]>>;

/** Patches that have arrived and are looked at: a call that ends before is followed by another one. */
const inspections = new WeakMap<Download, Promise<PatchInspection>>();
/** A call that has waited for the file itself to the end waits this much longer for what is in it. */
const INSPECT_LEAST_MS = 1_000;
const LOOKED_AT =
  "The patch has arrived whole and is still being looked at. Call tunnel_receive again with the same arguments.";

/** What a received patch would do. @param until ms since the epoch; undefined where it is not known by then */
async function inspectionBy(
  until: number,
  download: Download,
  base: string | undefined,
  call: ToolCall,
): Promise<PatchInspection | undefined> {
  const { clock, signal, sessions } = call;
  const looking = inspections.get(download) ?? sessions.localFiles.inspect(download.target, base);
  inspections.set(download, looking);
  const leftMs = Math.max(INSPECT_LEAST_MS, until - clock.now());
  const how = await wait(clock, leftMs, { signal, until: settled(looking) });
  return how === "woken" ? looking : undefined;
}

/** @param until when the call is to be answered, in ms since the epoch */
async function resultOf(
  tunnel: Session,
  { download, renamed }: { download: Download; renamed: string | undefined },
  call: ToolCall,
  until: number,
): Promise<Payload> {
  const { state, offer, target, fileId } = download;
  const place = { savePath: target, renamed };
  const common = { tunnelId: tunnel.tunnelId, fileId, ...place, name: offer.name, size: offer.size };
  if (state.name === "failed") {
    tunnel.files.forget(download);
    throw state.error;
  }
  if (state.name === "receiving") {
    return {
      status: "receiving",
      ...common,
      ...progressView(state, download.total),
      unread: tunnel.inbox.unread,
      next: "It goes on by itself and nothing is lost when the connection is cut. Call tunnel_receive again with the same arguments to wait for it, or go on: a `local` notice tells how it ended.",
    };
  }
  const inspection =
    offer.patch === undefined ? "none" : await inspectionBy(until, download, offer.patch.base, call);
  if (inspection === undefined) {
    const { unread } = tunnel.inbox;
    return { status: "receiving", ...common, received: offer.size, unread, next: LOOKED_AT };
  }
  tunnel.files.forget(download);
  return {
    status: "received",
    ...common,
    sha256: toHex(offer.hash),
    patch:
      inspection === "none" || offer.patch === undefined
        ? undefined
        : patchFields(offer.patch, patchView(inspection), call.fence, call.limit),
    tree: download.tree && savedTreeFields(download.tree, call.fence, call.limit),
    warning: WARNING,
    unread: tunnel.inbox.unread,
  };
}

/**
 * A human who is asked sees the arguments alone: they must say what the offer says.
 * @throws {TunnelError} file-not-as-named, with what the offer says
 */
function assertAsNamed(
  { entry }: Offered,
  given: { name: string; from: string },
  tunnel: Session,
  call: ToolCall,
): void {
  const shown = (label: string): string => call.fence.forResult().label(shownLabel(label));
  const isShownAs = (label: string, as: string): boolean => [label, shown(label)].includes(as);
  const { from, fromName, offer } = entry;
  // Two members may look alike: then only the id says who it is.
  const namesakes = tunnel.presence().filter(({ id, name }) => id !== from && isShownAs(name, given.from));
  const isUnclear = namesakes.length > 0 || entry.lookAlike === true;
  const isFrom = given.from === from || (isShownAs(fromName, given.from) && !isUnclear);
  if (isShownAs(offer.name, given.name) && isFrom) return;
  const who = isUnclear ? `${from}; others look like ${shown(fromName)}` : shown(fromName);
  throw new TunnelError("file-not-as-named", { detail: `it is ${shown(offer.name)}, from ${who}` });
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
    "Fetches what a member shared (kind `file`) into the working directory or a folder that your human has named. " +
    "They may be shown these arguments alone, so they must be true. For a patch the result tells whether it would " +
    "apply here and what looks suspicious; nothing is applied or run. The bytes are the peer's: authentic, not safe. " +
    "On `MCPTool requires permission.` nobody is there to be asked: do not try again; only your human can allow it " +
    "(TUNNEL_UNATTENDED).",
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  gate: "receive",
  input: z.strictObject({
    fileId: id("file-unknown").describe("From the message of kind `file`."),
    name: z.string().describe("Its name, as that message shows it."),
    from: z.string().describe("Its `fromName`, or `from`."),
    savePath: words("path-invalid").describe(
      "Absolute, without links, e.g. that of the message. Its folder must exist.",
    ),
    only: z.array(z.string()).optional().describe("Of a folder: only these paths."),
    overwrite: z.boolean().optional().describe("Replace a file there."),
    waitMs: z
      .number()
      .min(0)
      .optional()
      .describe(
        `Default ${SESSION.listenDefaultMs} ms, at most ${SESSION.listenMaxMs}; it goes on afterwards.`,
      ),
    cancel: z.boolean().optional().describe("End this transfer; nothing stays."),
    tunnelId,
  }),
  async run(
    { fileId, name, from, savePath, only, overwrite = false, waitMs, cancel, tunnelId: named },
    call,
  ) {
    const tunnel = call.sessions.resolve(named);
    tunnel.touch();
    const { localFiles } = call.sessions;
    if (cancel === true) {
      const { target } = await localFiles.targetOf(savePath, true);
      return cancelled(tunnel, fileId, target);
    }
    const offered = tunnel.files.find(fileId);
    assertAsNamed(offered, { name, from }, tunnel, call);
    await localFiles.wholeTargetOf(savePath, overwrite, offered.entry.offer.tree !== undefined);
    const request = { fileId, savePath, overwrite, only };
    const { download, isNew, renamed } = await fetchFile(tunnel.files, localFiles, request);
    if (isNew) call.progress(`asking for ${sizeText(download.offer.size)}`);
    const wait = boundedWait(waitMs ?? call.answerMs);
    const until = call.clock.now() + wait.value;
    await waitFor(tunnel, download, wait.value, call);
    const result = await resultOf(tunnel, { download, renamed }, call, until);
    return { ...result, waitedAtMostMs: wait.cutTo };
  },
});
