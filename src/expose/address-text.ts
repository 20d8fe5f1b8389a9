/** A public address as it is shown and handed on: the origin, and of TCP `tcp://HOST:PORT`, for which URLs know no origin. */
export function addressText(address: URL): string {
  return address.protocol === "tcp:" ? `tcp://${address.host}` : address.origin;
}
