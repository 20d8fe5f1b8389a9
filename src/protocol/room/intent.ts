/** The intents of a message. Apart from the frames, whose schemas a starting server does not need. */
export const INTENTS = ["request", "inform", "ack"] as const;

export type Intent = (typeof INTENTS)[number];
