import type { AlarmShown } from "../model.ts";

/** Some address of the page was used a second time, and what it had let in is shut out. */
export const USED_TWICE: AlarmShown = {
  kind: "stop",
  text: "An address of this page was used twice, so somebody else may have seen it. Whatever it let in is shut out. Look through the decisions below.",
};

/** One of this user's servers is older or newer than the program that serves the page. */
export const otherVersion = (version: string): AlarmShown => ({
  kind: "look",
  text: `A server of yours runs version ${version}: restart its client, so that it is shown here.`,
});
