// What the runner and a server say to each other: one JSON line with the port when it listens, and on SIGTERM one
// with the number of frames it has answered, which the runner compares with what the clients counted.

/** @param {number} port @param {() => number} frames */
export function announce(port, frames) {
  process.on('SIGTERM', () => {
    process.stdout.write(`${JSON.stringify({ frames: frames() })}\n`, () => process.exit(0));
  });
  process.stdout.write(`${JSON.stringify({ port })}\n`);
}
