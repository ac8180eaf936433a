import { readFileSync } from 'node:fs';
import { start } from '../../../scripts/bench/processes.mjs';

const START_LIMIT_MS = 20_000;
const END_LIMIT_MS = 10_000;
const LATE = Symbol('late');

/** One server under test: started, stopped while it is not its turn, asked for its count, ended. */
export class ServerProcess {
  #child;
  #exited;
  #line = '';
  #lines = [];
  #stderr = '';
  #onLine = () => {};

  /** Resolves when the server listens. @param {{ name: string, command: string, args: string[] }} entry */
  static async start(entry) {
    const server = new ServerProcess(entry);
    try {
      server.port = (await server.#nextMessage(START_LIMIT_MS)).port;
    } catch (error) {
      server.#child.kill('SIGKILL');
      throw error;
    }
    return server;
  }

  constructor(entry) {
    this.entry = entry;
    /** Replies the clients have received over all visits. */
    this.received = 0;
    this.#child = start(entry.command, entry.args);
    this.#exited = new Promise((resolve) => {
      this.#child.on('close', resolve);
      this.#child.on('error', (error) => {
        this.#stderr += error.message;
        resolve(null);
      });
    });
    this.#child.stdout.on('data', (text) => {
      const pieces = (this.#line + text).split('\n');
      this.#line = pieces.pop();
      this.#lines.push(...pieces);
      this.#onLine();
    });
    this.#child.stderr.on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-4000);
    });
  }

  get pid() {
    return this.#child.pid;
  }

  get stderr() {
    return this.#stderr;
  }

  /** Takes the processor from it until resume(). */
  suspend() {
    this.#child.kill('SIGSTOP');
  }

  resume() {
    this.#child.kill('SIGCONT');
  }

  /** Resident memory now, in bytes. */
  residentBytes() {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(kilobytes) * 1024;
  }

  /** Ends it and answers how many frames it says it has handled. */
  async end() {
    this.resume();
    this.#child.kill('SIGTERM');
    try {
      const { frames } = await this.#nextMessage(END_LIMIT_MS);
      await this.#withLimit(this.#exited, END_LIMIT_MS);
      return frames;
    } finally {
      this.#child.kill('SIGKILL');
    }
  }

  async #nextMessage(limitMs) {
    const line = new Promise((resolve) => {
      this.#onLine = () => {
        if (this.#lines.length > 0) resolve(this.#lines.shift());
      };
      this.#onLine();
    });
    return JSON.parse(
      await this.#withLimit(Promise.race([line, this.#exited.then(() => this.#fail('ended'))]), limitMs),
    );
  }

  async #withLimit(promise, limitMs) {
    let timer;
    const limit = new Promise((resolve) => {
      timer = setTimeout(resolve, limitMs, LATE);
    });
    try {
      const answer = await Promise.race([promise, limit]);
      return answer === LATE ? this.#fail(`did not answer within ${limitMs} ms`) : answer;
    } finally {
      clearTimeout(timer);
    }
  }

  #fail(what) {
    throw new Error(`server ${this.entry.name} ${what}${this.#stderr === '' ? '' : `:\n${this.#stderr.trimEnd()}`}`);
  }
}
