import { ALLOW_FORM, parseAllow, usableAllow, type AllowedTarget } from "../expose/target/allow.ts";
import type { Kind } from "./setting-kinds.ts";

/** Targets that may be exposed although they are elsewhere, or are dangerous. */
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
