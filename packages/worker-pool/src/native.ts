import path from 'node:path';
import { loadAddon } from '@millrace/native';

declare const handle: unique symbol;
/** A door in the hands of the thread that opened it. */
export type DoorHandle = { readonly [handle]: true };

interface Addon {
  /** Until it is shut, any thread may ring `id`: then the callback is called, once for many rings. */
  open(callback: () => void): { readonly id: number; readonly handle: DoorHandle };
  /** Whether the door keeps this thread's event loop alive; at first it does not. */
  hold(handle: DoorHandle, on: boolean): void;
  shut(handle: DoorHandle): void;
  ring(id: number): void;
  /** False where no stacks can be had. */
  requestStack(id: number): boolean;
  takeStack(id: number): string | undefined;
}

export const native = loadAddon<Addon>(path.dirname(__dirname));
