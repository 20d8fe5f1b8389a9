import { defineConfig } from "vitest/config";

const options = {
  // The default leaves one core idle, which on two cores is half of the machine.
  maxWorkers: "100%",
  testTimeout: 20_000,
  hookTimeout: 20_000,
};

/** They replace a module, which has to happen before anybody else has loaded it. */
const MOCKING = [
  "test/protocol/record/rekey.test.ts",
  "test/protocol/record/bulk-rekey.test.ts",
  "test/hostile-peers/rekey.test.ts",
];

export default defineConfig({
  test: {
    globalSetup: ["test/support/build-once.ts"],
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["src/main.ts"] },
    maxWorkers: options.maxWorkers,
    projects: [
      {
        test: {
          ...options,
          name: "shared",
          include: ["test/**/*.test.ts"],
          // test/clients installs whole clients, and has a configuration of its own.
          exclude: ["test/clients/**", ...MOCKING],
          // Files share a worker and its modules: loading them anew for each took a third of the time. So a test puts back
          // whatever it changes of a module, of the process or of the environment.
          isolate: false,
        },
      },
      { test: { ...options, name: "mocking", include: MOCKING, sequence: { groupOrder: 1 } } },
    ],
  },
});
