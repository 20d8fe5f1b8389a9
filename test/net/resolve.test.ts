import type { LookupAddress } from "node:dns";
import { expect, it } from "vitest";
import { createLookup, type LookupOptions } from "../../src/net/resolve.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";

const notFound = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
const unknown = (): Promise<never> => Promise.reject(notFound);

function look(
  options: LookupOptions,
  name: string,
  query: { all?: boolean; family?: number } = { all: true },
): Promise<string | LookupAddress[]> {
  return new Promise((resolve, reject) => {
    createLookup(options)(name, query, (error, found) => (error === null ? resolve(found) : reject(error)));
  });
}

it("uses the system resolver when that knows the name", async () => {
  const system = (): Promise<LookupAddress[]> => Promise.resolve([{ address: "192.0.2.1", family: 4 }]);
  const resolver = (): Promise<never> => Promise.reject(new Error("must not be asked"));
  expect(await look({ doh: true, system, resolver }, "a.example.com")).toEqual([
    { address: "192.0.2.1", family: 4 },
  ]);
  expect(await look({ doh: true, system, resolver }, "a.example.com", {})).toBe("192.0.2.1");
});

it("falls back to DNS-over-HTTPS for both families, or for the wanted one", async () => {
  const asked: number[] = [];
  const resolver: LookupOptions["resolver"] = (_name, family) => {
    asked.push(family);
    return Promise.resolve(family === 4 ? ["192.0.2.1"] : ["2001:db8::1"]);
  };
  expect(await look({ doh: true, system: unknown, resolver }, "a.example.com")).toEqual([
    { address: "192.0.2.1", family: 4 },
    { address: "2001:db8::1", family: 6 },
  ]);
  expect(await look({ doh: true, system: unknown, resolver }, "a.example.com", { family: 6 })).toBe(
    "2001:db8::1",
  );
  expect(asked).toEqual([4, 6, 6]);
});

it("keeps the system's error when DNS-over-HTTPS is off, fails or knows nothing", async () => {
  const yes = (): Promise<string[]> => Promise.resolve(["192.0.2.1"]);
  await expect(look({ doh: false, system: unknown, resolver: yes }, "a.example.com")).rejects.toBe(notFound);
  await expect(look({ doh: true, system: unknown, resolver: unknown }, "a.example.com")).rejects.toBe(
    notFound,
  );
  const none = (): Promise<string[]> => Promise.resolve([]);
  await expect(look({ doh: true, system: unknown, resolver: none }, "a.example.com")).rejects.toBe(notFound);
});

it("does not tell public resolvers the names of a private network", async () => {
  const resolver = (): Promise<string[]> => Promise.resolve(["192.0.2.1"]);
  for (const name of ["printer", "nas.local", "db.corp", "x.internal.", "localhost"]) {
    await expect(look({ doh: true, system: unknown, resolver }, name)).rejects.toBe(notFound);
  }
});

it("refuses names that lead only to forbidden addresses, and drops those among others", async () => {
  const metadata = { address: "169.254.169.254", family: 4 };
  const only = (): Promise<LookupAddress[]> => Promise.resolve([metadata]);
  const failure = await look({ doh: false, system: only }, "rebind.example.com").catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(TunnelError);
  expect(failure).toMatchObject({ code: "link-address" });
  const mixed = (): Promise<LookupAddress[]> =>
    Promise.resolve([metadata, { address: "10.0.0.1", family: 4 }]);
  expect(await look({ doh: false, system: mixed }, "a.example.com", {})).toBe("10.0.0.1");
});

it("passes IP literals through", async () => {
  expect(await look({ doh: true, system: unknown }, "127.0.0.1", {})).toBe("127.0.0.1");
  await expect(look({ doh: true, system: unknown }, "169.254.169.254")).rejects.toMatchObject({
    code: "link-address",
  });
});
