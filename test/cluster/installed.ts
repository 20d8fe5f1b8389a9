import { install } from "../realservices/installed.ts";

export default function setup(): void {
  install(["nats-server"]);
}
