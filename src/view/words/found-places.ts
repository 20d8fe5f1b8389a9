import type { Finding } from "../../oversight/filter/verdict.ts";

/** Where a secret was found, for a person. */
export const FOUND_PLACES: Readonly<Record<Finding["where"], string>> = {
  message: "the text",
  note: "the note",
  "member-name": "the name",
  goal: "the goal",
  "file-name": "the file's name",
  file: "the file",
  patch: "the patch",
  "work-context": "the work context",
  "service-label": "the service",
  "tool-result": "the answer",
};
