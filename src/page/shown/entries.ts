import type { SpokenView } from "../../view/entries.ts";
import { statementText } from "../../view/signing/text.ts";
import { systemText } from "../../view/words/system-text.ts";
import type { WatchedEntry } from "../../watch/protocol.ts";
import type { Card, EntryShown, SaidShown } from "../model.ts";
import { alone, name, oneLine, plural, size } from "./labels.ts";

/** An entry of a room; undefined for one that is this side's agent's alone. */
export function entryShown({ tunnelId, at, isOwn, entry }: WatchedEntry): EntryShown | undefined {
  const placed = { tunnelId, at, ts: Date.parse(entry.ts) };
  if (entry.kind === "notice") return undefined;
  if (entry.kind === "system") {
    const who = "memberName" in entry.event ? name(entry.event.memberName) : "";
    return { ...placed, kind: "system", text: systemText(entry.event, who) };
  }
  return { ...placed, ...saidShown(entry, isOwn), card: cardOf(entry, tunnelId) };
}

const INTENTS: Readonly<Record<string, string>> = {
  request: "asks",
  inform: "informs",
  ack: "acknowledges",
};

function saidShown(entry: SpokenView, isOwn: boolean): Omit<SaidShown, "tunnelId" | "at" | "ts" | "card"> {
  const { fromName, from, lookAlike, author, intent, to, replyTo, seq, beforeYou } = entry;
  const isHuman = author === "human";
  const human = isOwn ? "you" : "human, says their program";
  const agent = isOwn ? "your agent" : "agent";
  return {
    kind: "said",
    seq,
    from: name(fromName),
    sign: lookAlike === true ? from : undefined,
    isOwn,
    isHuman,
    tags: [isHuman ? human : agent, ...(intent === undefined ? [] : [INTENTS[intent] ?? intent])],
    facts: [
      ...(to === undefined ? [] : [alone(to).trim()]),
      ...(replyTo === undefined ? [] : [`answers ${replyTo}`]),
      ...(beforeYou === true ? ["before you came"] : []),
      ...(entry.kind === "proposal" ? ["proposes that it is done"] : []),
    ],
    text: textOf(entry),
    note: noteOf(entry),
  };
}

function textOf(entry: SpokenView): string | undefined {
  switch (entry.kind) {
    case "chat":
      return entry.text;
    case "withdrawal":
      return "no longer offers a service.";
    case "proposal":
      return entry.outcome;
    case "statement":
      return `${statementText(entry)}.`;
    case "file":
    case "service":
      return undefined;
  }
}

function noteOf(entry: SpokenView): string | undefined {
  if (entry.kind === "statement") return entry.reason;
  return "note" in entry ? entry.note : undefined;
}

function cardOf(entry: SpokenView, tunnelId: string): Card | undefined {
  switch (entry.kind) {
    case "chat":
    case "withdrawal":
    case "proposal":
    case "statement":
      return undefined;
    case "service": {
      const { service } = entry;
      const facts = `a service: ${service.service}${service.readOnly === true ? ", read only" : ""}`;
      return { name: name(service.name), facts, outline: [], look: undefined };
    }
    case "file": {
      const { file, outline = [] } = entry;
      return {
        name: name(file.name),
        facts: fileFacts(file),
        outline: outline.map(oneLine),
        look: file.tree === undefined ? { do: "look", tunnelId, file: file.fileId } : undefined,
      };
    }
  }
}

function fileFacts({ size: bytes, patch, tree }: Extract<SpokenView, { kind: "file" }>["file"]): string {
  if (tree !== undefined) return `folder of ${plural(tree.files, "file")}, ${size(tree.bytes)}`;
  if (patch === undefined) return size(bytes);
  const { files, insertions, deletions } = patch;
  return `patch of ${plural(files, "file")}, +${insertions} −${deletions}, ${size(bytes)}`;
}
