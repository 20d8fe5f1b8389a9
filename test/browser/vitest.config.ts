import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Not part of `npm test`: it needs a browser. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/browser/**/*.test.ts"],
    globalSetup: ["test/support/build-once.ts", "test/browser/installed.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 300_000,
    server: { deps: { inline: [/@secretlint/] } },
    alias: { "@secretlint/profiler": fileURLToPath(new URL("../support/no-timeline.ts", import.meta.url)) },
  },
});
