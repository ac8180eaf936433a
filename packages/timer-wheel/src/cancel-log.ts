import { native } from './native.js';

const { cancelLogCapacity: CAPACITY } = native;

/** A node, by 16 bits: the picture is in timer_node.h. */
const NODE = 11;
const LOW_GENERATION = 4;
const STATE = 0x3f;
const LIVE = 0x20;

/** The log: the picture is in cancel_log.h. */
const COUNT = 0;
const SIZE = 1;
const INDICES = 2;

/**
 * Cancels timers of a wheel that is not shared without a native call: clears a flag, and notes the index for the next one.
 *
 * For the wheel's thread. Owns two views of the wheel's memory until `end`. What it does not do itself is left to the
 * addon: handles that name no live timer, the last timer, which may let the process go, and more than there is room for.
 */
export class CancelLog {
  readonly #nodes: Uint16Array;
  readonly #log: Uint32Array;

  private constructor(nodes: ArrayBuffer, log: ArrayBuffer) {
    this.#nodes = new Uint16Array(nodes);
    this.#log = new Uint32Array(log);
  }

  /** Of the wheel in the register; undefined if it has none, as it is large. */
  static open(): CancelLog | undefined {
    const inside = native.inside();
    return inside && new CancelLog(inside.nodes, inside.log);
  }

  /** Whether it is cancelled now; if not, the addon must be asked. */
  cancel(timer: number): boolean {
    const nodes = this.#nodes;
    const log = this.#log;
    const index = timer >>> 0;
    const at = index * NODE;
    const time = nodes[at]!;
    const state = (time & STATE) * 0x1_0000 + nodes[at + LOW_GENERATION]!;
    // Of no place at all: NaN. Below 0 a handle could name a free place, as if it were live.
    if (!(timer > 0) || state !== (timer - index) / 0x1_0000_0000 + LIVE * 0x1_0000) return false;
    const count = log[COUNT]!;
    if (count === CAPACITY || log[SIZE]! - count <= 1) return false;
    nodes[at] = time ^ LIVE;
    log[INDICES + count] = index;
    log[COUNT] = count + 1;
    return true;
  }

  /** Before the wheel is shared, and after its end: nothing is to be found here any more. */
  end(): void {
    native.detachView(this.#nodes.buffer as ArrayBuffer);
    native.detachView(this.#log.buffer as ArrayBuffer);
  }
}
