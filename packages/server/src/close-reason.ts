/**
 * Why a connection ended.
 *
 * - `peer`: the peer ended, and everything received was handled and answered
 * - `reset`: the peer broke the connection
 * - `idle`, `first-byte`, `lifetime`: the timeout of that name
 * - `protocol`: the peer broke the framing
 * - `overload`: no memory was left for it
 * - `slow-consumer`: it does not read what it is sent
 * - `stuck`: its handler blocked its worker
 * - `error`: its handler threw, or its worker died
 * - `server`: the server closed
 * - `local`: `end()` or `destroy()`
 */
export type CloseReason =
  | 'peer'
  | 'reset'
  | 'idle'
  | 'first-byte'
  | 'lifetime'
  | 'protocol'
  | 'overload'
  | 'slow-consumer'
  | 'stuck'
  | 'error'
  | 'server'
  | 'local';

/** By the numbers of close_reason.h; 0 is none. */
export const CLOSE_REASONS: readonly (CloseReason | 'none')[] = [
  'none',
  'peer',
  'reset',
  'idle',
  'first-byte',
  'lifetime',
  'protocol',
  'overload',
  'slow-consumer',
  'stuck',
  'error',
  'server',
  'local',
];

export function reasonNumber(reason: CloseReason): number {
  return CLOSE_REASONS.indexOf(reason);
}

/** By the numbers of RejectReason. */
export const REJECT_REASONS = [
  'maxConnections',
  'maxConnectionsPerAddress',
  'acceptRate',
  'descriptors',
  'memory',
  'draining',
] as const;
