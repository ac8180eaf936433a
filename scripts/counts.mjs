/**
 * The counts of a part of the tests, with a failure added where its command says that something went wrong and no test
 * does: it ended with a bad exit code, or it ran nothing at all.
 */
export function judged({ passed, failed, skipped }, code) {
  const silent = passed + failed + skipped === 0 || (code !== 0 && failed === 0);
  return { passed, failed: silent ? 1 : failed, skipped };
}
