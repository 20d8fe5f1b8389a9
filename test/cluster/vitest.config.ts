import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Not part of `npm test`: it needs servers of NATS from the system's packages. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/cluster/**/*.test.ts"],
    globalSetup: ["test/cluster/installed.ts", "test/support/build-once.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    server: { deps: { inline: [/@secretlint/] } },
    alias: { "@secretlint/profiler": fileURLToPath(new URL("../support/no-timeline.ts", import.meta.url)) },
  },
});
