import type { Format } from "./format.ts";
import { checked, type ConfigText } from "./config-text.ts";
import { jsonConfig } from "./json-config.ts";
import { tomlConfig } from "./toml-config.ts";

export function configText(format: Format): ConfigText {
  const config = format.kind === "json" ? jsonConfig(format) : tomlConfig(format.table);
  return checked(config, format.refusesMark !== true);
}
