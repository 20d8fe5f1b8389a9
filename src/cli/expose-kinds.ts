import { ALLOW_FORM, parseAllow, usableAllow, type AllowedTarget } from "../expose/target/allow.ts";
import { isToolset, TOOLSET_NAMES, type Toolset } from "../view/setup/toolsets.ts";
import type { Kind } from "./setting-kinds.ts";

/** The forms of settings about exposing. */

export const TOOLSET_LIST: Kind<readonly Toolset[]> = {
  accepted: `a list of ${TOOLSET_NAMES.join(", ")}, separated by commas`,
  format: "string",
  parse(text) {
    const names = text.split(",").map((name) => name.trim());
    return names.every(isToolset) ? [...new Set(names)] : undefined;
  },
  write: (sets) => sets.join(","),
};

export const TARGET_LIST: Kind<readonly AllowedTarget[]> = {
  accepted: ALLOW_FORM,
  format: "string",
  parse: parseAllow,
  salvage: usableAllow,
  write: (targets) =>
    targets.length === 0
      ? undefined
      : targets.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(","),
};
