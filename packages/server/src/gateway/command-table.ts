import { MAX_SHOWN_BYTES, optionAt, shownAt, type Arguments } from './arguments.js';
import type { Client } from './client.js';

export interface Command {
  /** In lower case; a subcommand's is `container|subcommand`. */
  readonly name: string;
  /** Parts including the command's words; negative: at least so many. */
  readonly arity: number;
  readonly run: (client: Client, args: Arguments) => void;
  /** Allowed to a RESP2 connection that has subscribed. */
  readonly whileSubscribed?: boolean;
  /** By their names in upper case. A container's own `run` is never called. */
  readonly subcommands?: ReadonlyMap<string, Command>;
}

/** Names so short are found by their letters, packed into one number, without making a string. */
const PACKED_LETTERS = 4;
const UPPER_CASE = 0xdf;

/** The commands there are, and the checks that Redis makes before it runs one. Immutable; O(1) a command. */
export class CommandTable {
  readonly commands: readonly Command[];
  readonly #byLetters = new Map<number, Command>();
  readonly #byName = new Map<string, Command>();

  constructor(commands: readonly Command[]) {
    this.commands = commands;
    for (const command of commands) {
      this.#byName.set(command.name, command);
      this.#byName.set(command.name.toUpperCase(), command);
      if (command.name.length <= PACKED_LETTERS) this.#byLetters.set(packName(command.name), command);
    }
  }

  /** By its name in lower or upper case. */
  find(name: string): Command | undefined {
    return this.#byName.get(name) ?? this.#byName.get(name.toLowerCase());
  }

  /** Runs the command that `args` name, or answers with the error that Redis gives. False: it was an error. */
  execute(client: Client, args: Arguments): boolean {
    let command = this.#findIn(args);
    if (command === undefined) return refuse(client, unknownCommand(args));
    if (command.subcommands !== undefined && args.partCount > 1) {
      const subcommand = command.subcommands.get(optionAt(args, 1));
      if (subcommand === undefined) {
        return refuse(client, `ERR unknown subcommand '${shownAt(args, 1)}'. Try ${command.name.toUpperCase()} HELP.`);
      }
      command = subcommand;
    }
    const { arity } = command;
    if (arity >= 0 ? args.partCount !== arity : args.partCount < -arity) {
      return refuse(client, `ERR wrong number of arguments for '${command.name}' command`);
    }
    if (client.protocol === 2 && command.whileSubscribed !== true && client.subscribed > 0) {
      return refuse(
        client,
        `ERR Can't execute '${command.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      );
    }
    command.run(client, args);
    return true;
  }

  #findIn(args: Arguments): Command | undefined {
    const length = args.partLength(0);
    if (length > PACKED_LETTERS) return this.find(args.partLatin1(0));
    const offset = args.partOffset(0);
    let letters = 0;
    for (let i = 0; i < length; i++) letters = (letters << 8) | (args.u8(offset + i) & UPPER_CASE);
    const command = this.#byLetters.get(letters);
    // A blank or a zero in front packs into nothing.
    return command?.name.length === length ? command : undefined;
  }
}

/** A container of subcommands, such as CLIENT. */
export function container(name: string, subcommands: readonly Command[]): Command {
  return {
    name,
    arity: -2,
    run: () => undefined,
    subcommands: new Map(subcommands.map((each) => [each.name.slice(name.length + 1).toUpperCase(), each])),
  };
}

function packName(name: string): number {
  let letters = 0;
  for (let i = 0; i < name.length; i++) letters = (letters << 8) | (name.charCodeAt(i) & UPPER_CASE);
  return letters;
}

function refuse(client: Client, error: string): false {
  client.reply.error(error);
  return false;
}

function unknownCommand(args: Arguments): string {
  let words = '';
  for (let i = 1; i < args.partCount && words.length < MAX_SHOWN_BYTES; i++) {
    words += `'${shownAt(args, i, MAX_SHOWN_BYTES - words.length)}' `;
  }
  return `ERR unknown command '${shownAt(args, 0)}', with args beginning with: ${words}`;
}
