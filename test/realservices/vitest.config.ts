import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Not part of `npm test`: it needs servers from the system's packages, and a dev server from npm. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/realservices/**/*.test.ts"],
    globalSetup: ["test/realservices/installed.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    server: { deps: { inline: [/@secretlint/] } },
    alias: { "@secretlint/profiler": fileURLToPath(new URL("../support/no-timeline.ts", import.meta.url)) },
  },
});
