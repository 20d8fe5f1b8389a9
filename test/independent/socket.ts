/** A WebSocket of which each message is waited for (W1). */
import { WebSocket } from "ws";
import type { Bytes } from "./bytes.ts";
import { Refused } from "./refusal.ts";

export class Socket {
  readonly #socket: WebSocket;
  readonly #arrived: Bytes[] = [];
  #isOver = false;
  #wake: () => void = () => {};

  private constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.on("message", (data: Buffer) => {
      this.#arrived.push(Uint8Array.from(data));
      this.#wake();
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  static async open(url: string): Promise<Socket> {
    const socket = new Socket(url);
    await new Promise<void>((resolve, reject) => {
      socket.#socket.once("open", resolve);
      socket.#socket.once("error", reject);
    });
    return socket;
  }

  /** @throws {Refused} `closed` */
  async next(): Promise<Bytes> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message !== undefined) return message;
      if (this.#isOver) throw new Refused("closed", "the connection is over");
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  send(message: Bytes): void {
    this.#socket.send(message);
  }

  /** Without a word, as a network cuts it. */
  cut(): void {
    this.#socket.terminate();
  }
}
