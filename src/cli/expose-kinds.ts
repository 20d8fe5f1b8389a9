import { ALLOW_FORM, parseAllow, usableAllow, type AllowedTarget } from "../expose/target/allow.ts";
import { TOOLSET_NAMES } from "../view/setup/toolsets.ts";
import { someOf, type Kind } from "./setting-kinds.ts";

/** The forms of settings about exposing. */

export const TOOLSET_LIST = someOf(TOOLSET_NAMES);

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
