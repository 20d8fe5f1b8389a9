/** A public address as it is shown: without a slash at its end, and with the path of an MCP server. */
export function addressText({ origin, pathname }: URL): string {
  return pathname === "/" ? origin : `${origin}${pathname}`;
}
