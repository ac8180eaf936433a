'use strict';
// Serves the listening socket that it was started with as descriptor 3.
const net = require('node:net');
const { createServer } = require('@millrace/server');

async function main() {
  const server = createServer({ handler: { message: (connection, message) => void connection.write(message) } });
  const { port, family } = await server.listen({ fd: 3 });
  const echoed = await new Promise((resolve, reject) => {
    const client = net.connect(port, '127.0.0.1', () => client.write('hello'));
    client.on('error', reject);
    client.once('data', (bytes) => {
      client.destroy();
      resolve(String(bytes));
    });
  });
  await server.close();
  console.log(JSON.stringify({ family, echoed }));
}

void main();
