import * as z from "zod";

/** The program's own tables, of which documentation and manifests are made (loaded by scripts/sources.mjs). */
export const jsonSchema = (schema: z.core.$ZodType): unknown => z.toJSONSchema(schema, { io: "input" });
export { TOOLS } from "../src/mcp/tools/index.ts";
export { INSTRUCTIONS } from "../src/mcp/instructions.ts";
export { Fence } from "../src/mcp/results/fence.ts";
export { PUBLISHED, REGISTRATION, serverCommand } from "../src/view/setup/registration.ts";
export { AREAS } from "../src/errors/table.ts";
export { wakeView } from "../src/view/setup/wake.ts";
export { CLIENTS } from "../src/cli/setup/clients.ts";
export { configText } from "../src/cli/setup/formats/formats.ts";
export { describePlace } from "../src/cli/setup/places.ts";
export { ownLine } from "../src/cli/setup/show.ts";
export { commandsHelp } from "../src/cli/help.ts";
export { allSettings, defaultConfig, defaultText, GROUPS, SETTINGS } from "../src/cli/settings.ts";
export { RESULT } from "../src/protocol/base/limits.ts";
export { LocalFiles } from "../src/session/files/local-files.ts";
export { Sessions } from "../src/session/sessions.ts";
export { PROVIDERS } from "../src/tunnel/registry/registry.ts";
export { nodePrimitives } from "../src/runtime/primitives.ts";
export { Exposures } from "../src/expose/exposures/exposures.ts";
export { ExposureHistory } from "../src/expose/exposures/history.ts";
export { LazyExposures } from "../src/expose/exposures/lazy-exposures.ts";
export { LazyServices } from "../src/services/tunnels/lazy-services.ts";
export { MemberServices } from "../src/services/tunnels/member-services.ts";
export { MemoryBudget } from "../src/expose/inspector/budget.ts";
export { Redactor } from "../src/expose/inspector/secrets.ts";
export { openApi } from "../src/relay/admin/openapi.ts";
