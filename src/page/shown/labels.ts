import { replaceHidden } from "../../protocol/base/hidden-text.ts";
import { shownGoal, shownLabel } from "../../view/labels.ts";
import { CLOSE, OPEN } from "../text/marks.ts";

/** Somebody's text with the number of each hidden character in its place, between two marks that no text has. */
export function marked(text: string): string {
  return replaceHidden(
    text,
    (char) => `${OPEN}${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()}${CLOSE}`,
  );
}

/** The same in every text of a value. */
export function markedAll<Value>(value: Value): Value;
export function markedAll(value: unknown): unknown {
  if (typeof value === "string") return marked(value);
  if (Array.isArray(value)) return value.map((one: unknown) => markedAll(one));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, markedAll(one)]));
}

/** Somebody's label as one line, with what hides written out in words of ours. */
export function oneLine(label: string): string {
  return marked(label.replace(/\s+/g, " ")).replaceAll(OPEN, "\\u{").replaceAll(CLOSE, "}");
}

/** A name that somebody has chosen. */
export const name = (label: string): string => oneLine(shownLabel(label));
export const goal = (text: string): string => oneLine(shownGoal(text));

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

export function size(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${step === 0 ? bytes : (bytes / 2 ** (step * 10)).toFixed(1)} ${UNITS[step] ?? ""}`;
}

/** By the clock of this machine, as `09:05`. @param ts ms since the epoch */
export function clockTime(ts: number): string {
  const date = new Date(ts);
  return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

export const plural = (count: number, one: string, several = `${one}s`): string =>
  `${count} ${count === 1 ? one : several}`;

/** @returns nothing where it is for everybody */
export function alone(names: readonly string[] | undefined): string {
  return names === undefined ? "" : ` to ${names.map(name).join(", ")} alone`;
}
