import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { LINK } from "../../protocol/base/limits.ts";
import { encodingProblem } from "../../runtime/utf8-input.ts";
import { inviteView } from "../../view/invites.ts";
import type { Conversation } from "./conversation/conversation.ts";
import type { Ref, Show } from "./conversation/events.ts";
import { parseJsonCommand, type JsonCommand } from "./json/input.ts";

/**
 * Carries out the commands of a program until it has closed the tunnel or its input ends.
 * @param from number of the first line
 */
export async function obeyProgram(options: {
  lines: AsyncIterator<string, undefined>;
  from: number;
  conversation: Conversation;
  show: Show;
}): Promise<void> {
  const { lines, from, conversation, show } = options;
  for (let line = from; ; line += 1) {
    const { done, value } = await lines.next();
    if (done === true) return conversation.leave();
    if (value.trim() === "") continue;
    conversation.tunnel.touch();
    let ref: Ref | undefined;
    const fail = (thrown: unknown): void => show({ type: "error", error: asTunnelError(thrown), ref, line });
    try {
      const problem = encodingProblem(value);
      if (problem !== undefined) throw new TunnelError("input-invalid", { detail: `the line is ${problem}` });
      const command = parseJsonCommand(value);
      if ("close" in command) return conversation.leave(LINK.sayConfirmMs);
      ref = command.ref;
      // Not awaited: the next message must not wait for the acknowledgement of this one.
      if ("say" in command) conversation.say({ ...command, text: command.say }).catch(fail);
      else if ("share" in command) conversation.transfers.share({ ...command.share, ref }).catch(fail);
      else if ("receive" in command)
        conversation.transfers.receive({ ...command.receive, ref, line }).catch(fail);
      else if ("offer" in command) conversation.services.offer(command.offer, ref).catch(fail);
      else if ("connect" in command) conversation.services.connect({ ...command.connect, ref }).catch(fail);
      else if ("stop" in command) conversation.services.stop(command.stop, ref).catch(fail);
      else hostCommand(command, conversation, show);
    } catch (thrown) {
      fail(thrown);
    }
  }
}

type HostCommand = Exclude<
  JsonCommand,
  | { say: string }
  | { share: object }
  | { receive: object }
  | { offer: object }
  | { connect: object }
  | { stop: string }
  | { close: true }
>;

/** @throws {TunnelError} not-the-host, and all errors of the host */
function hostCommand(command: HostCommand, conversation: Conversation, show: Show): void {
  const { ref } = command;
  const { tunnel } = conversation;
  if ("status" in command) return show({ type: "status", ref, status: conversation.status });
  if ("services" in command) return show({ type: "services", ref, services: conversation.services.view });
  if (tunnel.role !== "host") throw new TunnelError("not-the-host");
  if ("invite" in command) {
    return show({ type: "invites", ref, invites: tunnel.invite(command.invite).map(inviteView) });
  }
  if ("remove" in command) tunnel.remove(command.remove);
  else if (!tunnel.revoke(command.revoke)) throw new TunnelError("invite-unknown");
  show({ type: "status", ref, status: conversation.status });
}
