/** The sets of tools that a person can leave out: pairing agents, and giving local services a public address. */
export const TOOLSET_NAMES = ["pair", "expose"] as const;

export type Toolset = (typeof TOOLSET_NAMES)[number];
