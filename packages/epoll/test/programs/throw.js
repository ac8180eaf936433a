// A callback that throws: an uncaught exception at once, and the events that came with it are delivered nevertheless.
'use strict';

const { Epoll, EPOLLET, EPOLLIN, EventFd } = require('@millrace/epoll');

const events = Array.from({ length: 100 }, () => new EventFd({ initial: 1 }));
const seen = new Set();
const caught = [];
process.on('uncaughtException', (error, origin) => caught.push(`${error.message} ${origin}`));
const poller = new Epoll((_error, fd) => {
  seen.add(fd);
  if (seen.size === events.length) poller.close();
  if (seen.size % 10 === 0) throw new Error(`thrown at ${seen.size}`);
});
for (const { fd } of events) poller.add(fd, EPOLLIN | EPOLLET);
process.on('exit', () => console.log(JSON.stringify({ seen: seen.size, caught })));
