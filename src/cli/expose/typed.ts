import { nearest } from "../../errors/nearest.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { DURATION_FORM, parseDuration } from "./duration.ts";

/** A line that a person has typed. `name`: of an exposure, where several run. */
export type Typed =
  | { readonly do: "nothing" | "help" | "quit" }
  | {
      readonly do: "info" | "qr" | "link" | "claims" | "requests" | "stop";
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
    case "info":
    case "qr":
    case "link":
    case "claims":
    case "requests":
    case "stop":
      return { do: word, name: atMostOne(words, word) };
    case "more": {
      const [time = "", ...names] = words;
      const minutes = parseDuration(time);
      if (minutes === undefined) throw invalid(`more takes ${DURATION_FORM}`);
      return { do: "more", minutes, name: atMostOne(names, word) };
    }
    case "revoke": {
      const [claim, ...names] = words;
      if (claim === undefined) throw invalid("revoke takes a claim, as claims lists them");
      return { do: "revoke", claim, name: atMostOne(names, word) };
    }
    case "show":
    case "replay":
      return { do: word, ...requestOf(words, word) };
    default: {
      const meant = nearest(word, WORDS);
      const guess = meant === undefined ? "" : `; did you mean ${meant}?`;
      throw invalid(`there is no such command${guess} Type help for the list`);
    }
  }
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
