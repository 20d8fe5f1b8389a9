import { expect, test } from "vitest";
import { descriptorIn, endpointIn, pidOfDescriptor } from "../../src/control/paths.ts";
import { privateFolders } from "../../src/runtime/private-folders.ts";

const LINUX = { platform: "linux", tempDirectory: "/tmp", user: 1000 };
const MAC = { platform: "darwin", tempDirectory: "/var/folders/ab/cdefghijklmnop/T", user: 501 };
const WINDOWS = {
  platform: "win32",
  tempDirectory: "C:\\Users\\Ana\\AppData\\Local\\Temp",
  user: undefined,
};

test("the runtime folder of the session comes first, then one that carries the user's number", () => {
  expect(privateFolders({ XDG_RUNTIME_DIR: "/run/user/1000" }, LINUX)).toEqual([
    "/run/user/1000/tunnel-mcp",
    "/tmp/tunnel-mcp-1000",
  ]);
});

test.each([undefined, "", "run/user", "."])(
  "a runtime folder that is no absolute path counts as unset: %j",
  (value) => {
    expect(privateFolders({ XDG_RUNTIME_DIR: value }, LINUX)).toEqual(["/tmp/tunnel-mcp-1000"]);
  },
);

test("a server whose client has dropped TMPDIR is found from a shell that has it", () => {
  const shell = privateFolders({}, MAC);
  const server = privateFolders({}, { ...MAC, tempDirectory: "/tmp" });
  expect(shell).toEqual(["/var/folders/ab/cdefghijklmnop/T/tunnel-mcp-501", "/tmp/tunnel-mcp-501"]);
  expect(shell).toContain(server[0]);
});

test("on Windows the folder is in the user's own data, and the endpoint is a named pipe", () => {
  const local = "C:\\Users\\Ana\\AppData\\Local";
  const env = { LOCALAPPDATA: local, XDG_RUNTIME_DIR: "/run/user/1000" };
  const [folder = ""] = privateFolders(env, WINDOWS);
  expect(folder).toBe(`${local}\\tunnel-mcp-control`);
  expect(endpointIn(folder, { pid: 7, unique: "ab12", platform: "win32" })).toBe(
    "\\\\.\\pipe\\tunnel-mcp-7-ab12",
  );
  expect(descriptorIn(folder, 7, { platform: "win32", kind: "ask" })).toBe(`${folder}\\7.json`);
  expect(descriptorIn(folder, 7, { platform: "win32", kind: "watch" })).toBe(`${folder}\\7.watch.json`);
  const temporary = ["C:\\Users\\Ana\\AppData\\Local\\Temp\\tunnel-mcp-control"];
  for (const LOCALAPPDATA of [undefined, "", "Local"])
    expect(privateFolders({ LOCALAPPDATA }, WINDOWS)).toEqual(temporary);
});

test("a socket lies in the folder, unless the system would cut its name off", () => {
  const socket = { pid: 7, unique: "ab12", platform: "darwin" };
  expect(endpointIn("/tmp/tunnel-mcp-501", socket)).toBe("/tmp/tunnel-mcp-501/7-ab12.sock");
  const name = "/7-ab12.sock";
  expect(endpointIn(`/${"x".repeat(102 - name.length)}`, socket)).toHaveLength(103);
  expect(endpointIn(`/${"x".repeat(103 - name.length)}`, socket)).toBeUndefined();
  expect(endpointIn(`/${"é".repeat(60)}`, socket)).toBeUndefined();
});

test.each([
  ["7.json", 7],
  ["07.json", undefined],
  ["0.json", undefined],
  ["7.json.part", undefined],
  ["-1.json", undefined],
  ["../7.json", undefined],
  ["7.sock", undefined],
  ["7.watch.json", undefined],
])("the descriptor %s is of process %s", (name, pid) => {
  expect(pidOfDescriptor(name, "ask")).toBe(pid);
});

test("the faces of a person have a descriptor of their own", () => {
  expect(pidOfDescriptor("7.watch.json", "watch")).toBe(7);
  expect(pidOfDescriptor("7.json", "watch")).toBeUndefined();
});
