import { TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";

/** The code of a system error such as ENOENT; "unknown" for anything else. Never its message, which holds a path. */
export function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]{2,40}$/.test(code) ? code : "unknown";
}

const FULL = new Set(["ENOSPC", "EDQUOT"]);
const DENIED: Readonly<Record<string, string>> = {
  EROFS: "the disk is read-only (EROFS)",
  EACCES: "this user may not write there (EACCES)",
  EPERM: "this user may not write there (EPERM)",
};

/** A failure while writing, as an error with a next step. */
export function writeFailure(error: unknown): TunnelError {
  if (error instanceof TunnelError) return error;
  const code = codeOf(error);
  if (FULL.has(code)) return new TunnelError("disk-full", { cause: error });
  const denied = DENIED[code];
  if (denied !== undefined) return new TunnelError("save-denied", { detail: denied, cause: error });
  if (code === "EFBIG") {
    return new TunnelError("save-failed", { detail: "the file is too large for this disk", cause: error });
  }
  return new TunnelError("save-failed", { detail: code, cause: error });
}

const READ: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "share-not-found",
  ENOTDIR: "share-not-found",
  ELOOP: "share-not-a-file",
  ENXIO: "share-not-a-file",
  EISDIR: "share-not-a-file",
};

/** A failure while a file that is to be shared was opened or read. */
export function readFailure(error: unknown): TunnelError {
  if (error instanceof TunnelError) return error;
  const code = codeOf(error);
  return new TunnelError(READ[code] ?? "share-unreadable", { detail: code, cause: error });
}
