import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/clients/**"], // installs whole clients; has a configuration of its own
    globalSetup: ["test/support/build-once.ts"],
    // The default leaves one core idle, which on two cores is half of the machine.
    maxWorkers: "100%",
    testTimeout: 20_000,
    hookTimeout: 20_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["src/main.ts"] },
  },
});
