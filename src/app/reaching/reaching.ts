/** The ways to services of this machine, for strangers and for members. Both take the same gateway and bridge, so they are one file. */
export { loadExposures } from "./exposing.ts";
export { loadServices } from "./serving.ts";
