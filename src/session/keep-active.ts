import type { Clock } from "../runtime/clock.ts";
import type { Relay } from "../transport/relay-server.ts";

/** Opening is activity: a first download may take longer than a short idle time. */
export function keepActive(relay: Relay, clock: Clock, everyMs: number): () => void {
  let cancel = (): void => undefined;
  const beat = (): void => {
    relay.run((room, now) => room.touch(0, now));
    cancel = clock.after(everyMs, beat);
  };
  beat();
  return () => cancel();
}
