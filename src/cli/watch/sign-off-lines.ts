import type { TunnelView } from "../../watch/protocol.ts";
import type { SignOffView } from "../../view/signing/sign-off.ts";
import { signatoryState, signOffState } from "../../view/signing/text.ts";
import { safeName, safeText, withGutter } from "../chat/terminal/safe-text.ts";
import { beginning, plainLines, type LineStyle } from "./lines.ts";

/** Whether the whole outcome is on the screen where it is shown as new. */
export function isOutcomeShownWhole({ outcome }: SignOffView): boolean {
  return beginning(outcome).isWhole;
}

/** Changes wherever a person should look again. */
export function signOffKey({ digest, state, members }: SignOffView): string {
  return `${digest} ${state} ${members.map(({ verdict }) => verdict ?? "").join(",")}`;
}

/** The outcome that stands in a tunnel, who has signed it, and what came after it. */
export function signOffLines(
  { tunnelId, self }: Pick<TunnelView, "tunnelId" | "self">,
  view: SignOffView,
  style: LineStyle,
  isWhole: boolean,
): string {
  const { paint, columns } = style;
  const { outcome, fromName, words, members, isOpenToSelf } = view;
  const mine = fromName === self ? "Your agent" : safeName(fromName);
  const lines = isWhole ? plainLines(outcome) : beginning(outcome).lines;
  const cut =
    isWhole || isOutcomeShownWhole(view)
      ? []
      : [paint.yellow("    … it goes on: type outcome before you sign")];
  const rows = members.flatMap((member) => {
    const who = member.isSelf ? "you" : safeName(member.name);
    const state = withGutter(`    ${who}: `, signatoryState(member), columns);
    const why = member.reason === undefined ? [] : [withGutter("      ", safeText(member.reason), columns)];
    return [state, ...why];
  });
  return [
    paint.bold(withGutter("! ", `${mine} proposes that it is done, in ${tunnelId}:`, columns)),
    withGutter("", ["", ...lines].join("\n"), columns).slice(1),
    ...cut,
    `    the words to read aloud: ${words}`,
    ...rows,
    withGutter("    ", signOffState(view, safeName), columns),
    ...(isOpenToSelf ? [paint.dim("    sign | not-done REASON")] : []),
  ].join("\n");
}
