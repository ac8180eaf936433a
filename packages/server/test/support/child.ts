import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly args?: readonly (string | number)[];
  /** Past this the child has hung: it is killed, and `signal` says so. */
  readonly limitMs?: number;
}

/** Runs a script of test/children to its end. */
export function runChild(script: string, { args = [], limitMs = 20_000 }: ChildOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [join(__dirname, '../children', script), ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** What the child printed, which must have ended well and silently. */
export async function reportOf<T>(script: string, options?: ChildOptions): Promise<T> {
  const { code, signal, stdout, stderr } = await runChild(script, options);
  if (code !== 0 || stderr !== '') throw new Error(`${script} ended with ${code ?? signal}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}
