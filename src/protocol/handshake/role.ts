/**
 * The roles in a room beside that of a member (PROTOCOL §8.3): an observer reads along from its arrival on, or from the beginning of
 * what the host keeps. The same words stand in the link, in the record of the roster, and under the proof of the keys.
 */
export const OBSERVER_ROLES = ["observer", "observer-history"] as const;

/** Undefined for a member. */
export type ObserverRole = (typeof OBSERVER_ROLES)[number];

export function isObserverRole(text: string): text is ObserverRole {
  return OBSERVER_ROLES.some((role) => role === text);
}
