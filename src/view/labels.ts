/**
 * Labels that a peer has chosen (names, branches, clients, goals) stand among words of this program, with nothing around
 * them. One that could be read as a sentence, a heading or a speaker of a conversation is shown in quotation marks.
 */

/** Words of one label that still read as a name: `Carl von Berg`, `sam (2)`, `claude-code 2.1`. */
const NAME_WORDS = 3;
/** Words of a goal that still read as one. */
const GOAL_WORDS = 8;

/** Signs of sentences, headings, quotations, markup and assignments, also in their wide forms. */
const SPEECH =
  /[:;!?,"<>[\]{}|=*`\\\n\u00ab\u00bb\u2013\u2014\u201c-\u201f\u2026\u2039\u203a\u203d\u3001\u3002\u3008-\u3011\u301d-\u301f\uff01\uff02\uff0c\uff1a\uff1b\uff1f\uff61-\uff64]|\.(?:\s|$)/u;
/** The speakers that a model knows besides peers. */
const SPEAKER =
  /(?<![a-z])(?:system|user|assistant|human|developer|operator|admin(?:istrator)?|tool)s?(?![a-z])/i;
/** All that could end the quotation. */
const QUOTES = /["\u201c-\u201f\u301d-\u301f\uff02]/gu;

function readsAsName(label: string, maxWords: number): boolean {
  const plain = label.normalize("NFKC");
  if (SPEECH.test(label) || SPEECH.test(plain) || SPEAKER.test(plain)) return false;
  return plain.split(/\s+/).length <= maxWords;
}

function quoted(label: string, maxWords: number): string {
  return readsAsName(label, maxWords) ? label : `“${label.replace(QUOTES, "'")}”`;
}

/** A name, branch or other label of a peer among words of this program. */
export function shownLabel(label: string): string {
  return quoted(label, NAME_WORDS);
}

/** The goal of a tunnel: a short one reads as what it is. */
export function shownGoal(goal: string): string {
  return quoted(goal, GOAL_WORDS);
}
