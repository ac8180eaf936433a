'use strict';
/**
 * Clients that keep a number of requests under way each, and check that the replies are theirs, whole, in
 * order and once. Shared by the scripts here; runs in the thread of its caller.
 */
const net = require('node:net');

class Client {
  sent = 0;
  received = 0;
  /** Its connection ended while requests were under way. */
  lost = false;
  #rest = '';
  #stopped = false;

  constructor(load, name) {
    this.load = load;
    this.name = name;
    this.socket = net.connect({ port: load.port, host: '127.0.0.1' });
    this.socket.setNoDelay(true);
    this.socket.on('connect', () => this.#fill());
    this.socket.on('data', (chunk) => this.#take(String(chunk)));
    this.socket.on('error', () => {});
    this.socket.on('close', () => load.ended(this));
  }

  get waiting() {
    return this.sent - this.received;
  }

  stop() {
    this.#stopped = true;
    if (this.waiting === 0) this.socket.end();
  }

  say(text) {
    this.socket.write(text + '\n');
  }

  #fill() {
    if (this.#stopped) return;
    let text = '';
    for (let i = this.waiting; i < this.load.depth; i++) text += `${this.name} ${this.sent++}\n`;
    if (text !== '') this.socket.write(text);
  }

  #take(text) {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) {
      const expected = `${this.name} ${this.received++}`;
      if (line !== expected) this.load.wrong.push(`expected ${expected}, got ${line}`);
      this.load.replies++;
    }
    this.load.heard?.();
    if (this.#stopped && this.waiting === 0) this.socket.end();
    else if (this.waiting <= this.load.depth / 2) this.#fill();
  }
}

exports.Load = class Load {
  replies = 0;
  /** What should not have been. */
  wrong = [];
  /** Connections that ended with requests under way. */
  lost = 0;
  heard;
  #next = 0;
  #clients = new Set();
  #stopped;

  constructor(port, { clients, depth }) {
    this.port = port;
    this.depth = depth;
    for (let i = 0; i < clients; i++) this.#add();
  }

  get clients() {
    return [...this.#clients];
  }

  #add() {
    this.#clients.add(new Client(this, `client-${this.#next++}`));
  }

  ended(client) {
    this.#clients.delete(client);
    if (client.waiting > 0) this.lost++;
    if (this.#stopped === undefined) this.#add();
    else if (this.#clients.size === 0) this.#stopped();
  }

  /** Until so many more replies have come: a moment under load. */
  async after(count) {
    const until = this.replies + count;
    while (this.replies < until) await new Promise((resolve) => (this.heard = resolve));
    this.heard = undefined;
  }

  /** Every request under way gets its reply, then the connections end. */
  async stop() {
    const stopped = new Promise((resolve) => (this.#stopped = resolve));
    for (const client of this.#clients) client.stop();
    if (this.#clients.size > 0) await stopped;
  }
};

/** mulberry32 */
exports.random = (seed) => {
  let state = seed | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
};

/** What this process has open: descriptors that are no epoll, eventfd … of Node's own stay the same over a round. */
exports.holdings = () => {
  const { readdirSync } = require('node:fs');
  return { descriptors: readdirSync('/proc/self/fd').length, threads: readdirSync('/proc/self/task').length };
};
