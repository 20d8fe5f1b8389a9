/** Parameters of a request: each at most once (RFC 6749 §3.1), `resource` apart (RFC 8707 §2). */
export interface Parameters {
  /** Undefined where it is missing or empty (RFC 6749 §3.1). */
  readonly get: (name: string) => string | undefined;
  readonly resources: readonly string[];
  /** The first name that came twice. */
  readonly twice: string | undefined;
}

export function parametersOf(text: string): Parameters {
  const all = new URLSearchParams(text);
  const names = [...all.keys()].filter((name) => name !== "resource");
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  return { get: (name) => all.get(name) || undefined, resources: all.getAll("resource"), twice };
}

/** Whether all that is asked for is this one resource; a lone slash at the end makes no other one. */
export function isOnly(resources: readonly string[], resource: string): boolean {
  return resources.every((asked) => {
    if (asked === resource) return true;
    if (!URL.canParse(asked) || asked.includes("#")) return false;
    return new URL(asked).href.replace(/\/$/, "") === resource;
  });
}
