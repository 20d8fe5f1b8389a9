import { describe, expect, it } from "vitest";
import { must } from "../../src/errors/must.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";

describe("must", () => {
  it.each([0, "", false, Number.NaN])("returns %j, which is a value", (value) => {
    expect(must(value, "a value")).toBe(value);
  });

  it.each([undefined, null])("throws `internal` for %j, with the name of what is missing", (value) => {
    const thrown: unknown = catching(() => must(value, "the last line"));
    expect(thrown).toBeInstanceOf(TunnelError);
    expect(thrown).toMatchObject({ code: "internal", detail: "the last line is missing" });
  });
});

function catching(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}
