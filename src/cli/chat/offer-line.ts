import { nearest } from "../../errors/nearest.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { SERVICE } from "../../protocol/base/limits.ts";
import type { OfferRequest } from "../../services/tunnels/tunnel-services.ts";
import { DURATION_FORM, parseDuration } from "../expose/duration.ts";

/** A service as a person asks to offer it. */
export type TypedOffer = Omit<OfferRequest, "author">;

/** The value of each option, from the text behind it. @throws {TunnelError} input-invalid */
const OPTIONS: Readonly<Record<string, (text: string) => Partial<TypedOffer>>> = {
  tcp: flag("tcp", { kind: "tcp" }),
  mcp: flag("mcp", { kind: "mcp" }),
  "read-only": flag("read-only", { readOnly: true }),
  each: flag("each", { confirmEach: true }),
  to: (text) => ({
    to: text.split(",").map((name) => {
      const trimmed = name.trim();
      if (trimmed === "") throw invalid("--to takes names, with commas between them");
      return trimmed;
    }),
  }),
  for: (text) => {
    const minutes = parseDuration(text);
    if (minutes === undefined) throw invalid(`--for takes ${DURATION_FORM}`);
    return { expiresInMinutes: minutes };
  },
  tools: (text) => {
    const tools = text.split(/[\s,]+/).filter((name) => name !== "");
    if (tools.length === 0) throw invalid("--tools takes names, as in --tools search_*, get_page");
    return { tools };
  },
  max: (text) => {
    const count = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : 0;
    if (count >= 1 && count <= SERVICE.maxConnections) return { maxConnections: count };
    throw invalid(`--max takes a number of connections, at most ${SERVICE.maxConnections}`);
  },
  note: (text) => {
    if (text === "") throw invalid("the text of --note is missing");
    return { note: text };
  },
};

function invalid(detail: string): TunnelError {
  return new TunnelError("input-invalid", { detail });
}

function flag(name: string, made: Partial<TypedOffer>): (text: string) => Partial<TypedOffer> {
  return (text) => {
    if (text !== "") throw invalid(`--${name} takes nothing; the name of the service stands before it`);
    return made;
  };
}

/**
 * `3000 my API --to ben --read-only`: the target, a name with its spaces, then options.
 * @throws {TunnelError} input-invalid
 */
export function readOffer(argument: string): TypedOffer {
  const [words = "", ...options] = argument.split(/(?:^|\s+)--(?=[a-z])/i);
  const [, target = "", name = ""] = /^(\S*)\s*([\s\S]*)$/.exec(words.trim()) ?? [];
  if (target === "") throw invalid("the port is missing: /offer 3000");
  const offer: TypedOffer = { target, kind: "http", ...(name === "" ? {} : { name }) };
  const given = new Set<string>();
  const read = options.map((option) => readOption(option, given));
  if (given.has("tools") && !given.has("mcp")) throw invalid("--tools goes with --mcp");
  if (given.has("tcp") && given.has("mcp")) throw invalid("it is either --tcp or --mcp");
  return read.reduce<TypedOffer>((all, one) => ({ ...all, ...one }), offer);
}

/** @param given the options before it, which this one joins @throws {TunnelError} input-invalid */
function readOption(option: string, given: Set<string>): Partial<TypedOffer> {
  const [, word = "", text = ""] = /^(\S+)\s*([\s\S]*)$/.exec(option) ?? [];
  const key = word.toLowerCase();
  const read = Object.hasOwn(OPTIONS, key) ? OPTIONS[key] : undefined;
  if (read === undefined) throw unknownOption(key);
  if (given.has(key)) throw invalid(`--${key} is there twice`);
  given.add(key);
  return read(text.trim());
}

function unknownOption(key: string): TunnelError {
  const all = Object.keys(OPTIONS);
  const meant = nearest(key, all);
  const guess =
    meant === undefined ? `they are ${all.map((one) => `--${one}`).join(", ")}` : `did you mean --${meant}?`;
  return invalid(`there is no such option; ${guess}`);
}
