import { pathToFileURL } from 'node:url';
import { errors } from '../errors.js';

/**
 * The `file:` URL of a module that workers are to load.
 *
 * @param filename - a path, relative to the working directory or absolute, or a `file:` URL
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function moduleUrl(filename: string | URL): string {
  if (filename instanceof URL) return filename.href;
  if (typeof filename === 'string' && filename !== '') {
    return filename.startsWith('file:') ? filename : pathToFileURL(filename).href;
  }
  throw errors.invalidFilename(filename);
}
