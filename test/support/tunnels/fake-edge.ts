import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { lineReader } from "../../../src/children/lines.ts";

/**
 * What the edge does. `refused`: nobody listens. `hanging`: it takes connections and says nothing any more. `garbage`: it answers what
 * nobody understands.
 */
export type EdgeMode = "up" | "refused" | "hanging" | "garbage";

/**
 * The edge for fake-cloudflared.mjs (FAKE_CF_EDGE), on loopback: each of these registers its name here, with the key of that name, and
 * is asked for signs of life as long as it is connected.
 */
export class FakeEdge {
  /** By name. A name belongs to whoever registered it first. */
  readonly keys = new Map<string, string>();
  /** Names as they were registered, one after the other. */
  readonly registrations: string[] = [];
  readonly port: number;
  #mode: EdgeMode = "up";
  #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.#serve(server);
  }

  static async start(): Promise<FakeEdge> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new FakeEdge(server);
  }

  async turn(mode: EdgeMode): Promise<void> {
    const wasListening = this.#mode !== "refused";
    this.#mode = mode;
    if (mode === "refused" && wasListening) await this.#close();
    if (mode !== "refused" && !wasListening) await this.#reopen();
    // Whoever hangs on does not notice; anything else breaks what there is.
    if (mode === "garbage") for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    if (this.#mode !== "refused") await this.#close();
  }

  #serve(server: Server): void {
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
      const reader = lineReader((line) => this.#said(socket, line));
      socket.setEncoding("utf8").on("data", (chunk: string) => reader.read(chunk));
    });
  }

  #said(socket: Socket, line: string): void {
    if (this.#mode === "hanging") return;
    if (this.#mode === "garbage") return void socket.write("\u0000\u0007 4711 <html>\n");
    const [word, host = "", key = ""] = line.split(" ");
    if (word === "PING") return void socket.write("PONG\n");
    if (word !== "REGISTER") return;
    const owner = this.keys.get(host) ?? key;
    this.keys.set(host, owner);
    if (owner === key) this.registrations.push(host);
    socket.write(owner === key ? "REGISTERED\n" : "DENIED\n");
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #reopen(): Promise<void> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.#server = server;
    this.#serve(server);
  }
}
