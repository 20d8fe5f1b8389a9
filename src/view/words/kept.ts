/** How a person goes on in a terminal with a tunnel whose program has ended. */
export const resumeCommand = ({ tunnelId }: { readonly tunnelId: string }): string =>
  `tunnel-mcp resume ${tunnelId}`;
