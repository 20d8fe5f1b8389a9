import { TunnelError } from "../../errors/tunnel-error.ts";
import { FORBIDDEN_IN_TEXTS } from "./characters.ts";
import { checkText, codePointName } from "./text.ts";

/** Text of this side's agent or person, as it may be sent, and how many colour sequences it had. */
export interface TypedText {
  readonly text: string;
  readonly removed: number;
}

/** Select Graphic Rendition (ECMA-48 §8.3.117): colours and the like, which carry no meaning. CSI has a short form, U+009B. */
const SGR = String.raw`(?:\u001b\[|\u009b)[\d;:]*m`;

/** Takes out what output of a program is coloured with. Every other control character is left to be refused. */
export function withoutColours(text: string): TypedText {
  let removed = 0;
  const plain = text.replace(new RegExp(SGR, "g"), () => {
    removed += 1;
    return "";
  });
  return { text: plain, removed };
}

/**
 * A message without colours, line ends made uniform. A refused character is named by its place in the text as it was given.
 * @throws {TunnelError} text-invalid, text-too-long
 */
export function typedText(given: string): TypedText {
  for (const { index, groups } of given.matchAll(
    new RegExp(`${SGR}|\\r|(?<bad>${FORBIDDEN_IN_TEXTS.source})`, "gu"),
  )) {
    const bad = groups?.["bad"];
    if (bad === undefined) continue;
    throw new TunnelError("text-invalid", {
      detail: `it contains ${codePointName(bad)} at position ${index}`,
    });
  }
  const { text, removed } = withoutColours(given);
  return { text: checkText(text), removed };
}
