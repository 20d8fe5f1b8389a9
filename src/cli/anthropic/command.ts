/** `tunnel-mcp anthropic-tunnel init|check|doctor|renew [DIR]` */
export type AnthropicCommand = {
  readonly kind: "anthropic-tunnel";
  /** Undefined: the folder one is in where it is a tunnel's, and otherwise {@link USUAL_FOLDER}. */
  readonly dir: string | undefined;
} & AnthropicAction;

export type AnthropicAction =
  | InitAction
  | { readonly action: "check"; readonly isOffline: boolean }
  /** `log`: a path; undefined: stdin. */
  | { readonly action: "doctor"; readonly log: string | undefined }
  | { readonly action: "renew"; readonly force: boolean; readonly switchCa: boolean };

/** As typed. What is left undefined stays as it is. */
export interface InitAction {
  readonly action: "init";
  readonly domain: string | undefined;
  /** All of them, `LABEL=scheme://host:port` each. */
  readonly routes: readonly string[] | undefined;
  readonly allowedIps: readonly string[] | undefined;
  /** `system`, or the path of a file. */
  readonly upstreamCa: string | undefined;
  /** With their digests, or these alone. */
  readonly images: { readonly proxy: string | undefined; readonly cloudflared: string | undefined };
  /** Files that somebody changed are written anew, and kept beside as NAME.old. */
  readonly force: boolean;
}

export const USUAL_FOLDER = "mcp-tunnel";
