import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Not part of `npm test`: it installs several hundred megabytes of clients. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/clients/**/*.test.ts"],
    globalSetup: ["test/support/build-once.ts", "test/clients/plugin-once.ts"],
    // Installing and starting them one after the other is fast enough, and easier to read when one misbehaves.
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
});
