import { IMAGES, TOKEN } from "./env-file.ts";
import { CONTAINER, LISTEN_PORT } from "./proxy-file.ts";

/** The sample server's name and port among the containers. */
const SAMPLE_SERVICE = { name: "sample", port: 9000 } as const;
export const SAMPLE_ROUTE = {
  label: "echo",
  upstream: `http://${SAMPLE_SERVICE.name}:${SAMPLE_SERVICE.port}`,
} as const;

const HARDENED = `    user: "65532:65532"
    read_only: true
    security_opt:
      - no-new-privileges:true
    cap_drop:
      - ALL
    restart: unless-stopped
    stop_grace_period: 30s
    logging:
      options:
        max-size: 10m
        max-file: "3"
`;

/** `docker-compose.yaml`. Images and token come from `.env`, so that neither stands in a file that is shared. */
export function renderCompose(withSample: boolean): string {
  const image = (name: string): string => `    image: \${${name}:?fill it in, in the file .env}\n`;
  const sample = `  ${SAMPLE_SERVICE.name}:
${image(IMAGES.sample)}    command: ["node", "/app/server.mjs"]
    environment:
      PORT: "${SAMPLE_SERVICE.port}"
    volumes:
      - ./sample:/app:ro
${HARDENED}`;
  return `services:
  mcp-proxy:
${image(IMAGES.proxy)}    # The image looks for its file elsewhere by default.
    command: ["-config", "${CONTAINER.config}"]
    volumes:
      - ./config:/config:ro
      - ./data:/data:ro
${HARDENED}  cloudflared:
${image(IMAGES.cloudflared)}    command: tunnel --no-autoupdate run --url http://localhost:${LISTEN_PORT}
    environment:
      - ${TOKEN}
    # In the proxy's network, so that localhost is the proxy.
    network_mode: "service:mcp-proxy"
${HARDENED}${withSample ? sample : ""}`;
}

/** Written by this program and changed by nobody. */
export function isOwnCompose(text: string): boolean {
  return text === renderCompose(true) || text === renderCompose(false);
}

const NEEDED: readonly (readonly [RegExp, string])[] = [
  [/-config["', ]+\S*\.yaml|:\/etc\/mcp-gateway\/config\.yaml/, "the path of the proxy's file (-config)"],
  [
    new RegExp(`--url["', ]+http://localhost:${LISTEN_PORT}`),
    `--url http://localhost:${LISTEN_PORT} at cloudflared`,
  ],
  [/network_mode:\s*["']?service:mcp-proxy/, "network_mode: service:mcp-proxy at cloudflared"],
  [new RegExp(String.raw`^\s*(?:- )?${TOKEN}\b`, "m"), `${TOKEN} among cloudflared's environment`],
];

/** The parts that a changed compose file lacks. */
export function composeProblems(text: string): string[] {
  const bare = text.replaceAll(/^\s*#.*$/gm, "");
  const missing = NEEDED.flatMap(([pattern, what]) => (pattern.test(bare) ? [] : [`${what} is missing`]));
  // A token in this file would be in its history as well.
  return /\beyJ[\w+/=-]{20,}/.test(bare) ? [...missing, `the token itself is in it: use .env`] : missing;
}
