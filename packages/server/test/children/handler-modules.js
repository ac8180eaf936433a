'use strict';
// node handler-modules.js WORKERS NAME...: what listen() says to each module of test/handlers.
const net = require('node:net');
const { join } = require('node:path');
const { createServer, lines } = require('@millrace/server');

const workers = Number(process.argv[2]);

const ask = (port, text) =>
  new Promise((resolve, reject) => {
    const client = net.connect(port, '127.0.0.1', () => client.write(text + '\n'));
    client.on('error', reject);
    client.on('data', (bytes) => {
      client.destroy();
      resolve(String(bytes).trim());
    });
  });

async function report(name) {
  const handler = join(__dirname, '../handlers', name);
  const server = createServer({ handler, workers, workerData: 'data', framing: lines() });
  try {
    const { port } = await server.listen({ host: '127.0.0.1' });
    const answer = JSON.parse(await ask(port, 'who'));
    await server.close();
    return { answer };
  } catch (error) {
    const { code, message, cause } = error;
    const other = createServer({ handler: join(__dirname, '../handlers/echo.js'), workers, framing: lines() });
    const { port } = await other.listen({ host: '127.0.0.1' });
    const echoedAfterwards = await ask(port, 'with another one');
    await other.close();
    return {
      code,
      message,
      cause: { code: cause?.code, isError: cause instanceof Error },
      listening: server.listening,
      address: server.address(),
      echoedAfterwards,
    };
  }
}

async function main() {
  const reports = [];
  for (const name of process.argv.slice(3)) reports.push(await report(name));
  console.log(JSON.stringify(reports));
}

void main();
