import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Not part of `npm test`: it kills and starts servers, minutes long where TUNNEL_TEST_RESTARTS asks for all of them. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/restarts/**/*.test.ts"],
    globalSetup: ["test/support/build-once.ts"],
    fileParallelism: false,
    hookTimeout: 60_000,
    server: { deps: { inline: [/@secretlint/] } },
    alias: { "@secretlint/profiler": fileURLToPath(new URL("../support/no-timeline.ts", import.meta.url)) },
  },
});
