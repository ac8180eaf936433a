/**
 * The memory that the stages and a worker share, in u32 words. The picture, and the one definition, is
 * native/include/millrace/server/bridge_layout.h; these numbers are checked against it when the addon
 * is loaded.
 */
import { makeError } from './errors.js';

export const WORD = {
  running: 0,
  outMark: 1,
  state: 2,
  failed: 3,
  held: 4,
  handled: 5,
  outBlock: 6,
  outBlockBytes: 7,
  outUsed: 8,
  opCount: 9,
  resultA: 10,
  resultB: 11,
  dropped: 12,
  outMarkBytes: 13,
} as const;

export const CONTROL_WORDS = 16;
export const OPERATION_LIST = 1024;
export const OPERATION_WORDS = 8;
export const DESCRIPTOR_WORDS = 8;
export const FIRST_OPERATION = CONTROL_WORDS;
export const FIRST_DESCRIPTOR = CONTROL_WORDS + OPERATION_LIST * OPERATION_WORDS;

export const IN = { message: 0, open: 1, close: 2, drain: 3, end: 4, serverEnd: 5, reopen: 6 } as const;
export const IN_EXACT_ECHO = 1 << 8;

export const OUT = { write: 0, end: 1, publish: 2, activate: 3 } as const;
export const OUT_WANTS_DRAIN = 1 << 8;
export const KIND_MASK = 0xff;

export const PAUSE = { user: 1, write: 2, async: 4 } as const;

export const PUBLISH_HEADER_BYTES = 20;
export const OUT_BLOCK_BYTES = 64 * 1024;
export const NO_BLOCK = 0xffffffff;
export const NO_HANDLE = 0xffffffff;
export const FRAME_INCOMPLETE = 255;

export interface NativeLayout {
  readonly controlWords: number;
  readonly operationList: number;
  readonly descriptorBytes: number;
  readonly operationBytes: number;
  readonly publishHeaderBytes: number;
  readonly inReopen: number;
  readonly inExactEcho: number;
  readonly outActivate: number;
  readonly outWantsDrain: number;
  readonly opCountWord: number;
  readonly frameIncomplete: number;
  readonly closeReasons: number;
  readonly rejectReasons: number;
  readonly outBlockBytes: number;
}

const EXPECTED: NativeLayout = {
  controlWords: CONTROL_WORDS,
  operationList: OPERATION_LIST,
  descriptorBytes: DESCRIPTOR_WORDS * 4,
  operationBytes: OPERATION_WORDS * 4,
  publishHeaderBytes: PUBLISH_HEADER_BYTES,
  inReopen: IN.reopen,
  inExactEcho: IN_EXACT_ECHO,
  outActivate: OUT.activate,
  outWantsDrain: OUT_WANTS_DRAIN,
  opCountWord: WORD.opCount,
  frameIncomplete: FRAME_INCOMPLETE,
  closeReasons: 13,
  rejectReasons: 6,
  outBlockBytes: OUT_BLOCK_BYTES,
};

/** @throws Error `ERR_LAYOUT_MISMATCH` when the addon was built from another version of the headers */
export function checkLayout(layout: NativeLayout): void {
  for (const [name, value] of Object.entries(EXPECTED)) {
    const found = layout[name as keyof NativeLayout];
    if (found === value) continue;
    throw makeError(
      'ERR_LAYOUT_MISMATCH',
      `The addon of @millrace/server has ${name} ${String(found)}, its JavaScript ${value}. ` +
        'Rebuild it: npm rebuild @millrace/server',
    );
  }
}
