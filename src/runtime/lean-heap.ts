import { setFlagsFromString } from "node:v8";

// A server that mostly waits should be small, and V8 is tuned for programs that compute. This must be said before the
// first big module is evaluated, hence a module of its own, imported first. Measured in bench/memory.mjs.

// Otherwise the nursery grows to 16 MiB during start-up and stays so.
setFlagsFromString("--semi-space-growth-factor=1");
// Saves megabytes spent on optimising code that runs a few times a minute. Only for the engine of Node 20: newer ones do
// not know the flag, and would say so on stderr.
if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=300000");
