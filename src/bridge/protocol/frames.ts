import { BRIDGE_LIMITS } from "./limits.ts";

/** JSON-RPC 2.0 as MCP uses it: an id is text or a whole number, and never null. */
export type FrameId = string | number;
export type Fields = Readonly<Record<string, unknown>>;

export interface RequestFrame {
  readonly kind: "request";
  readonly id: FrameId;
  readonly method: string;
  readonly params: Fields;
}

export interface NotificationFrame {
  readonly kind: "notification";
  readonly method: string;
  readonly params: Fields;
}

export interface ErrorObject {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** `id` is missing where the request could not be understood. */
type ResponseFrame = { readonly kind: "response"; readonly id: FrameId | undefined } & Outcome;

/** How a call ended, without the id that belongs to one side alone. */
export type Outcome = { readonly result: Fields } | { readonly error: ErrorObject };

export type Frame = RequestFrame | NotificationFrame | ResponseFrame;

/** JSON-RPC 2.0 §5.1, and those that MCP reserves (2026-07-28). */
export const CODE = {
  parse: -32_700,
  invalidRequest: -32_600,
  methodNotFound: -32_601,
  invalidParams: -32_602,
  internal: -32_603,
  /** Ours: the bridge itself has refused or failed. */
  bridge: -32_000,
  headerMismatch: -32_020,
  unsupportedVersion: -32_022,
} as const;

export function failed(code: number, message: string, data?: unknown): { readonly error: ErrorObject } {
  return { error: { code, message, ...(data === undefined ? {} : { data }) } };
}

/** A frame that cannot be understood, with the error that answers it. */
export interface BadFrame {
  readonly kind: "bad";
  readonly id: FrameId | undefined;
  readonly error: ErrorObject;
}

/** One message. A batch is none: no revision since 2025-06-18 has them. Pure and total. */
export function parseFrame(text: string): Frame | BadFrame {
  const value = parsed(text);
  if (value === undefined) return bad(undefined, CODE.parse, "this is not JSON");
  if (Array.isArray(value))
    return bad(undefined, CODE.invalidRequest, "batches are not served: send one message");
  if (!isFields(value)) return bad(undefined, CODE.invalidRequest, "this is no JSON-RPC message");
  const { jsonrpc, id, method } = value;
  const known = isId(id) ? id : undefined;
  if (jsonrpc !== "2.0") return bad(known, CODE.invalidRequest, "jsonrpc must be 2.0");
  if (!isShallow(value, BRIDGE_LIMITS.depth))
    return bad(known, CODE.invalidRequest, "it is nested too deeply");
  const isAnonymousError = id === null && Object.hasOwn(value, "error");
  if (Object.hasOwn(value, "id") && known === undefined && !isAnonymousError)
    return bad(undefined, CODE.invalidRequest, "an id is a short text or a whole number");
  return method === undefined ? response(value, known) : asked(value, known);
}

/** Undefined for what is no JSON, which has no such value. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asked({ method, params = {} }: Fields, id: FrameId | undefined): Frame | BadFrame {
  if (typeof method !== "string" || method.length === 0 || method.length > BRIDGE_LIMITS.methodChars)
    return bad(id, CODE.invalidRequest, "method is no name");
  if (!isFields(params)) return bad(id, CODE.invalidParams, "params is an object");
  return id === undefined
    ? { kind: "notification", method, params }
    : { kind: "request", id, method, params };
}

function response({ result, error }: Fields, id: FrameId | undefined): Frame | BadFrame {
  if (isFields(result) && error === undefined && id !== undefined) return { kind: "response", id, result };
  if (result !== undefined || !isFields(error))
    return bad(id, CODE.invalidRequest, "it has neither a method nor one outcome");
  const { code, message, data } = error;
  if (typeof code !== "number" || !Number.isSafeInteger(code) || typeof message !== "string")
    return bad(id, CODE.invalidRequest, "an error has a code and a message");
  return { kind: "response", id, ...failed(code, message, data) };
}

function bad(id: FrameId | undefined, code: number, message: string): BadFrame {
  return { kind: "bad", id, error: { code, message } };
}

/** As one line. */
export function encodeRequest({ id, method, params }: Omit<RequestFrame, "kind">): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

export function encodeNotification({ method, params }: Omit<NotificationFrame, "kind">): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params });
}

/** An answer to what had no readable id has `null` for it (JSON-RPC 2.0 §5). */
export function encodeOutcome(id: FrameId | undefined, outcome: Outcome): string {
  return withId(id, JSON.stringify(outcome));
}

/** An outcome that is JSON already, as an answer. */
export function withId(id: FrameId | undefined, outcome: string): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id ?? null)},${outcome.slice(1)}`;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is FrameId {
  if (typeof value === "string") return value.length <= BRIDGE_LIMITS.idChars;
  return typeof value === "number" && Number.isSafeInteger(value);
}

/** Whether nothing in it lies deeper: what is written again must not exhaust the stack. */
function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((one) => isShallow(one, levels - 1));
}
