import { isFileName } from "../../protocol/files/names.ts";
import { safeName } from "./names.ts";

/** A name of this machine as the others may be shown it (T4). */
export function labelOf(name: string): string {
  const composed = name.normalize("NFC");
  return [composed, safeName(name)].find((label) => isFileName(label)) ?? "unnamed";
}

/** Why the others are shown another name than the file has here; undefined where it is the same. */
export function changeOf(name: string, label: string): string | undefined {
  if (label === name.normalize("NFC")) return undefined;
  return "an offer cannot carry the name that the file has here: it is too long, or has characters that are not shown";
}
