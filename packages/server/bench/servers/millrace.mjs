// Millrace, topology `staged`: `millrace.mjs echo|resp WORKERS`. With 0 workers the handler runs on the calling
// thread. The handler is called for every message; everything else is as the options' defaults have it.

import { createServer, lengthPrefixed, resp } from '@millrace/server';
import { announce } from './announce.mjs';

const [protocol, workers] = [process.argv[2], Number(process.argv[3])];
const handlerUrl = new URL(`./handler-${protocol}.mjs`, import.meta.url);
const options = {
  topology: 'staged',
  framing: protocol === 'echo' ? lengthPrefixed({ lengthBytes: 4, endian: 'big' }) : resp(),
};

const server = createServer(
  workers === 0
    ? { ...options, workers: 0, handler: (await import(handlerUrl)).default }
    : { ...options, workers, handler: handlerUrl },
);
server.on('error', (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
server.on('handlerError', (error) => process.stderr.write(`${error.stack}\n`));

const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
announce(port, () => server.stats().messages.handled);
