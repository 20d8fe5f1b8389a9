/** One connection of a member: its messages in order, first those of the handshake, then records. */
import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { answer } from "../admission.ts";
import { base64url, isEqual, type Bytes } from "../bytes.ts";
import type { Credential } from "../keys.ts";
import type { Link } from "../link.ts";
import type { Split } from "../noise.ts";
import { RecordReceiver, RecordSender, type Frame } from "../records.ts";
import { demand } from "../refusal.ts";

const CLAIM_BYTES = 16;
const DENIED: Bytes = Uint8Array.of(0x04);

export class Connection {
  readonly split: Split;
  /** This member's share of the safety code. */
  readonly share: Bytes;
  readonly #socket: WebSocket;
  readonly #incoming: AsyncIterator<Bytes>;
  readonly #sender: RecordSender;
  readonly #receiver: RecordReceiver;

  private constructor(
    socket: WebSocket,
    incoming: AsyncIterator<Bytes>,
    proved: { split: Split; share: Bytes },
  ) {
    this.#socket = socket;
    this.#incoming = incoming;
    this.split = proved.split;
    this.share = proved.share;
    this.#sender = new RecordSender(proved.split.initiatorToResponder);
    this.#receiver = new RecordReceiver(proved.split.responderToInitiator);
  }

  /** Dials (L3) and goes through M1 to M3. @throws {Refused} */
  static async open({ origin, room, hostKey }: Link, credential: Credential): Promise<Connection> {
    const socket = new WebSocket(`${origin}/t/${base64url(room)}`);
    const incoming = messagesOf(socket);
    const share = Uint8Array.from(randomBytes(32));
    const ephemeral = Uint8Array.from(randomBytes(32));
    const claim = Uint8Array.from(randomBytes(CLAIM_BYTES));
    const guest = { room, hostKey, credential, claim, share, ephemeral };
    const { m2, finish } = answer(guest, await nextOf(incoming));
    socket.send(m2);
    return new Connection(socket, incoming, { split: finish(await nextOf(incoming)), share });
  }

  send(frame: Frame): void {
    this.#socket.send(this.#sender.seal(frame));
  }

  close(reason: number): void {
    this.#socket.send(this.#sender.close(reason));
    this.#socket.close(1000);
  }

  /** Ends it as a broken network does: without a word. */
  cut(): void {
    this.#socket.terminate();
  }

  /** The next frame, or undefined when the connection is over. Bulk messages are of no use to this member. */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      const { value, done } = await this.#incoming.next();
      if (done === true) return undefined;
      demand(!isEqual(value, DENIED), "denied", "the host says DENIED"); // H6
      const frame = this.#receiver.open(value);
      if (frame !== undefined) return frame;
    }
  }
}

async function nextOf(incoming: AsyncIterator<Bytes>): Promise<Bytes> {
  const { value, done } = await incoming.next();
  demand(done !== true, "host-unreachable", "the connection is over");
  return value;
}

async function* messagesOf(socket: WebSocket): AsyncGenerator<Bytes, void, void> {
  const waiting: Bytes[] = [];
  let isOver = false;
  let wake = (): void => undefined;
  socket.on("message", (data: Buffer) => {
    waiting.push(Uint8Array.from(data));
    wake();
  });
  for (const event of ["close", "error"])
    socket.on(event, () => {
      isOver = true;
      wake();
    });
  for (;;) {
    const message = waiting.shift();
    if (message !== undefined) yield message;
    else if (isOver) return;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}
