import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Not part of `npm test`: it installs dev servers from npm, half a gigabyte in all. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/devservers/**/*.test.ts"],
    // Each of them compiles with all cores.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
