import type { RawFields } from "../message.ts";

/**
 * Takes the credentials that are meant for us out of `Authorization`: those of the Basic scheme under our user name (RFC 7617
 * §2). All others are the service's.
 * @returns the rest, and the presented texts `user:password`
 */
export function takeBasic(
  fields: RawFields,
  user: string,
): { readonly fields: RawFields; readonly values: readonly string[] } {
  const kept: string[] = [];
  const values: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const field = fields[index] ?? "";
    const value = fields[index + 1] ?? "";
    const presented = field.toLowerCase() === "authorization" ? credentialsOf(value) : undefined;
    if (presented?.startsWith(`${user}:`) === true) values.push(presented);
    else kept.push(field, value);
  }
  return { fields: kept, values };
}

function credentialsOf(value: string): string | undefined {
  const [, token] = /^\s*Basic[ \t]+([A-Za-z0-9+/_-]+=*)\s*$/i.exec(value) ?? [];
  return token === undefined ? undefined : Buffer.from(token, "base64").toString("utf8");
}
