import { setFlagsFromString } from "node:v8";

// A server that mostly waits should be small. V8 would let its nursery grow to 16 MiB during start-up and keep it; this
// must be said before the first big module is evaluated, hence a module of its own, imported first.
setFlagsFromString("--semi-space-growth-factor=1");
