import type { SignatoryView, SignOffView } from "../../view/signing/sign-off.ts";
import { signatoryState, signOffState } from "../../view/signing/text.ts";
import type { SignerShown, SignOffShown } from "../model.ts";
import { name } from "./labels.ts";

/** The outcome that stands, in words. The outcome itself is whole: a tab signs what it shows. */
export function signOffShown(view: SignOffView): SignOffShown {
  const { seq, room, chain, self, digest, words, outcome, state, isOpenToSelf, members } = view;
  const proposer = members.find((one) => one.name === view.fromName);
  const who = proposer?.isSelf === true ? "Your agent" : `The agent of ${name(view.fromName)}`;
  return {
    seq,
    room,
    chain,
    self,
    digest,
    words,
    outcome,
    title: `${who} proposes that it is done`,
    // While it is open, the signers below say it each for themselves.
    state: state === "open" ? undefined : signOffState(view, name),
    isDone: state === "signed",
    isOpen: isOpenToSelf,
    signers: members.map(signerShown),
  };
}

function signerShown(one: SignatoryView): SignerShown {
  const { id, isSelf, verdict, reason } = one;
  const label = isSelf ? "You" : name(one.name);
  return { id, name: label, verdict, reason, state: signatoryState(one) };
}
