import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A pipe by its two descriptors. Whoever opens it closes them. */
export function openPipe(): { readable: number; writable: number } {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-epoll-'));
  try {
    const file = path.join(folder, 'pipe');
    execFileSync('mkfifo', [file]);
    const readable = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    return { readable, writable: openSync(file, constants.O_WRONLY | constants.O_NONBLOCK) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A descriptor that was open and is not. */
export function closedDescriptor(): number {
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  return fd;
}
