const encoder = new TextEncoder();

/** UTF-8 as the protocol has it, by the browser: the build puts it in the place of the encoder of the core. */
export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text);
