import type { ConnectionRow } from './native.js';
import type { ConnectionInfo } from './types.js';

export function connectionInfo(row: ConnectionRow): ConnectionInfo {
  const [fd, sequence, remoteAddress, port, bytesRead, bytesWritten, bufferedBytes, openedAtMs, idleMs] = row;
  return {
    fd,
    sequence,
    id: `${sequence}:${fd}`,
    remoteAddress,
    remotePort: remoteAddress === undefined ? undefined : port,
    bytesRead,
    bytesWritten,
    bufferedBytes,
    openedAtMs,
    idleMs,
  };
}
