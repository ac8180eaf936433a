import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/** The seed of tests with random moments: MILLRACE_SEED, or a fresh one. Programs print it when they fail. */
export const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e6));

/** Runs a program of test/programs to its end and answers the last line it printed, which is JSON. */
export async function runProgram(name: string, ...args: (string | number)[]): Promise<Record<string, number>> {
  const file = path.join(__dirname, 'programs', name);
  try {
    const { stdout } = await execFileAsync(process.execPath, [file, ...args.map(String)], { timeout: 300_000 });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>;
  } catch (cause) {
    const { signal, code, stderr, stdout } = cause as NodeJS.ErrnoException & Record<string, string>;
    const end = signal ? `was ended by ${signal}` : `exited with ${code}`;
    throw new Error(`${name} ${args.join(' ')} ${end} (seed ${seed}):\n${stdout}${stderr}`, { cause });
  }
}

/** Runs `count` programs, two at a time. */
export async function runMany<T>(count: number, run: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      results[index] = await run(index);
    }
  };
  await Promise.all([lane(), lane()]);
  return results;
}
