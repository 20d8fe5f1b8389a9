/** What leads to services of this machine, for strangers or for members: both have the same gateway and the same bridge, so they are one file. */
export { loadExposures } from "./exposing.ts";
export { loadServices } from "./serving.ts";
