import type { OwnAnswer } from "../../expose/message.ts";
import { own } from "../../expose/gateway/rules/own-answers.ts";

const NO_ROBOTS = ["X-Robots-Tag", "noindex"] as const;
const answer = (status: number, why: string, text: string, ...fields: string[]): OwnAnswer =>
  own(status, why, text, ...fields, ...NO_ROBOTS);

/** What the relay itself says to visitors of services: the same for a name that never was and one that is given up. */
export const ANSWERS = {
  unknown: answer(404, "no-such-name", "There is nothing here."),
  away: answer(
    503,
    "destination_unavailable",
    "The host of this address is away for a moment.",
    "Retry-After",
    "2",
  ),
  busy: answer(503, "connection_limit_reached", "Too many requests are under way.", "Retry-After", "5"),
  lost: answer(502, "connection_terminated", "The host of this address did not answer."),
  late: answer(504, "http_response_timeout", "The host of this address did not answer in time."),
  bodyTooLong: answer(413, "body-too-long", "The body of the request is too long."),
  responseTooLong: answer(502, "response-too-long", "The response is longer than this relay passes on."),
  loop: answer(508, "proxy_loop_detected", "The request came here before."),
} as const satisfies Record<string, OwnAnswer>;
