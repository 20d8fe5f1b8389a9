/** The purpose that a message may state (§5, signed fields). Apart from the frames, whose schemas the start has no use for. */
export const INTENTS = ["request", "inform", "ack"] as const;
export type Intent = (typeof INTENTS)[number];
