import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The Redis whose replies these are, byte for byte: clients choose what they use by it. */
export const REDIS_VERSION = '7.0.15';

const manifest = JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as { version: string };

/** This package's. */
export const MILLRACE_VERSION = manifest.version;
