import { nearest } from "../../errors/nearest.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { DURATION_FORM, parseDuration } from "./duration.ts";

/** A line that a person has typed. `name`: of an exposure, where several run. */
export type Typed =
  | { readonly do: "nothing" | "help" | "quit" }
  | {
      readonly do: (typeof ABOUT_ONE)[number];
      readonly name: string | undefined;
    }
  | { readonly do: "more"; readonly minutes: number; readonly name: string | undefined }
  | { readonly do: "revoke"; readonly claim: string; readonly name: string | undefined }
  | { readonly do: "show" | "replay"; readonly id: number; readonly name: string | undefined };

/** The commands with their arguments and help, as `help` lists them. */
export const EXPOSE_COMMANDS = [
  ["info", "[NAME]", "the address, the ways in, and when it ends"],
  ["link", "[NAME]", "one more link, for one more person or device"],
  ["qr", "[NAME]", "the QR code again"],
  ["claims", "[NAME]", "the links that were made, and who has used one"],
  ["revoke", "CLAIM", "take a link back, and the way in that it gave"],
  ["more", "TIME [NAME]", "keep it open for longer, as in more 30m"],
  ["requests", "[NAME]", "the last requests"],
  ["show", "ID", "one request and its response, whole"],
  ["replay", "ID", "send a request to the service again, and compare"],
  ["stop", "[NAME]", "end it"],
  ["help", "", "this list"],
  ["quit", "", "end everything here, as Ctrl-C does"],
] as const;

const WORDS: readonly string[] = EXPOSE_COMMANDS.map(([word]) => word);

/** @throws {TunnelError} input-invalid */
export function readTyped(line: string): Typed {
  const [typed = "", ...words] = line.trim().split(/\s+/);
  const word = typed.toLowerCase();
  switch (word) {
    case "":
      return { do: "nothing" };
    case "?":
    case "help":
      return { do: "help" };
    case "quit":
    case "exit":
      return { do: "quit" };
    case "more":
      return moreOf(words);
    case "revoke":
      return revokeOf(words);
    case "show":
    case "replay":
      return { do: word, ...requestOf(words, word) };
    default:
      return aboutOne(word, words);
  }
}

/** Commands that take the name of an exposure, and nothing else. */
const ABOUT_ONE = ["info", "qr", "link", "claims", "requests", "stop"] as const;

function aboutOne(word: string, names: readonly string[]): Typed {
  const known = ABOUT_ONE.find((one) => one === word);
  if (known !== undefined) return { do: known, name: atMostOne(names, known) };
  const meant = nearest(word, WORDS);
  const guess = meant === undefined ? "." : `; did you mean ${meant}?`;
  throw invalid(`there is no such command${guess} Type help for the list`);
}

function moreOf([time = "", ...names]: readonly string[]): Typed {
  const minutes = parseDuration(time);
  if (minutes === undefined) throw invalid(`more takes ${DURATION_FORM}`);
  return { do: "more", minutes, name: atMostOne(names, "more") };
}

function revokeOf([claim, ...names]: readonly string[]): Typed {
  if (claim === undefined) throw invalid("revoke takes a claim, as claims lists them");
  return { do: "revoke", claim, name: atMostOne(names, "revoke") };
}

/** `12`, `#12`, or `12@web`. */
function requestOf(
  words: readonly string[],
  word: string,
): { readonly id: number; readonly name: string | undefined } {
  const [, id, name] = /^#?(\d{1,15})(?:@(\S+))?$/.exec(words.join(" ")) ?? [];
  if (id === undefined) throw invalid(`${word} takes the number of a request, as in ${word} 12`);
  return { id: Number(id), name };
}

function atMostOne([name, ...more]: readonly string[], word: string): string | undefined {
  if (more.length > 0) throw invalid(`${word} takes at most one name`);
  return name;
}

function invalid(detail: string): TunnelError {
  return new TunnelError("input-invalid", { detail });
}
