import { useEffect, useState } from "preact/hooks";

/** Nothing that came, or moved, just now takes a yes: the click may have been meant for something else. */
const INERT_MS = 500;
let focusedAt = Number.NEGATIVE_INFINITY;
// The click that brings this window to the front may not decide either.
window.addEventListener("focus", () => (focusedAt = performance.now()));

/** Whether the window came to the front a moment ago. */
export const isJustInFront = (): boolean => performance.now() - focusedAt < INERT_MS;

export const JUST_IN_FRONT = "This window came to the front only now. Press again, if you mean it.";

/** Whether it takes no yes yet. @param place where it stands, or what it is: another one begins anew */
export function useInert(place: number | string): boolean {
  // It keeps which one may be answered, and not whether: so there is no moment between a move and its being inert.
  const [ready, setReady] = useState<number | string | undefined>(undefined);
  useEffect(() => {
    const timer = setTimeout(() => setReady(place), INERT_MS);
    return () => clearTimeout(timer);
  }, [place]);
  return ready !== place;
}
