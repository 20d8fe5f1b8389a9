import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They install whole programs; each has a configuration of its own.
    exclude: ["clients", "browser", "devservers", "realservices", "cluster", "restarts"].map(
      (one) => `test/${one}/**`,
    ),
    globalSetup: ["test/support/build-once.ts"],
    // Many tests wait: for processes that start, for times that are over. So there are more workers than cores.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    // Files share a worker and its modules: loading them anew for each took a third of the time. So a test puts back
    // whatever it changes of a module, of the process or of the environment, and no module is ever replaced (vi.mock).
    isolate: false,
    // The second engine of the filter is bundled without its profiler (scripts/build.mjs), which would make tests last minutes.
    server: { deps: { inline: [/@secretlint/] } },
    alias: { "@secretlint/profiler": fileURLToPath(new URL("test/support/no-timeline.ts", import.meta.url)) },
    testTimeout: 20_000,
    hookTimeout: 20_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["src/main.ts"] },
  },
});
