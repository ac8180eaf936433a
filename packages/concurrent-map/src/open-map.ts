import { getSystemErrorName } from 'node:util';
import { codedError } from '@millrace/native';
import { keyCodecs } from './key-codec.js';
import { native } from './native.js';
import type { NativeOptions } from './options.js';
import { RawMap } from './raw-map.js';
import { valueCodecs } from './value-codec.js';

export function openMap({ key, value, words }: NativeOptions): RawMap {
  const handle = native.open(...words);
  if (handle >= 0) return new RawMap(handle, keyCodecs[key], valueCodecs[value]);
  const code = getSystemErrorName(handle);
  const message = `${code}: no address space for a map of ${words[2]} bytes, mmap. Lower maxBytes, or raise "ulimit -v"`;
  throw codedError(code, message, { errno: handle, syscall: 'mmap' });
}
