import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import path from "node:path";

/** Whether this machine has the IPv6 loopback address; some containers do not. */
export const HAS_IPV6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);

/** Servers of one test file on loopback addresses, all closed by `close`. */
export class LocalServers {
  #open: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];

  /** A server for HTTP; its port. */
  http(listener: RequestListener, host = "127.0.0.1", port = 0): Promise<number> {
    return this.listen(createHttp(listener), host, port);
  }

  /** A server for HTTPS with a certificate that it has signed itself. */
  https(listener: RequestListener, host = "127.0.0.1"): Promise<number> {
    return this.listen(createHttps(selfSigned(), listener), host, 0);
  }

  /** A server that is handed each connection. */
  tcp(onConnection: (socket: Socket) => void, host = "127.0.0.1", port = 0): Promise<number> {
    return this.listen(createTcp(onConnection), host, port);
  }

  async listen(server: Server, host: string, port: number): Promise<number> {
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
    this.#open.push({ server, sockets });
    return (server.address() as AddressInfo).port;
  }

  /** A port on which nobody listens. */
  async freePort(): Promise<number> {
    const server = createTcp();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise<void>((resolve) => server.close(() => resolve()));
    return port;
  }

  async close(): Promise<void> {
    for (const { server, sockets } of this.#open.splice(0)) {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }
}

interface Certified {
  readonly key: string;
  readonly cert: string;
}

let certified: Certified | undefined;

/** A certificate for localhost, made once. */
export function selfSigned(): Certified {
  if (certified !== undefined) return certified;
  const folder = mkdtempSync(path.join(tmpdir(), "tunnel-cert-"));
  try {
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder, name)) as [string, string];
    const kind = [
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
    ];
    const named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    execFileSync("openssl", ["req", ...kind, ...named, "-keyout", key, "-out", cert], { stdio: "ignore" });
    certified = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
    return certified;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
