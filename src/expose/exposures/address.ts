/** The same where there may be none. */
export const addressOf = (address: URL | undefined): string | undefined => address && addressText(address);

/** A public address as it is shown: without a slash at its end, and with the path of an MCP server. Of TCP URLs know no origin. */
export function addressText({ protocol, host, origin, pathname }: URL): string {
  if (protocol === "tcp:") return `tcp://${host}`;
  return pathname === "/" ? origin : `${origin}${pathname}`;
}
