import type { Expose } from "./contract.ts";

/** Loads the library with the first call: importing it does nothing. */
export const expose: Expose = async (options) => (await import("./expose.ts")).expose(options);
