// Whether the process ends by itself: argv[2] says what is done to an Epoll.
'use strict';

const { Epoll, EPOLLIN, EventFd } = require('@millrace/epoll');

const event = new EventFd();
const poller = new Epoll((_error, fd) => {
  console.log('an event');
  poller.remove(fd);
});
const ways = {
  nothing: () => {},
  remove: () => poller.add(event.fd, EPOLLIN).remove(event.fd),
  unref: () => poller.add(event.fd, EPOLLIN).unref(),
  'unref first': () => poller.unref().add(event.fd, EPOLLIN),
  close: () => {
    poller.add(event.fd, EPOLLIN);
    poller.close();
  },
  // Nothing else keeps the process alive until the timer, which does not either.
  add: () => {
    poller.add(event.fd, EPOLLIN);
    setTimeout(() => event.notify(), 20).unref();
  },
  'ref again': () => {
    poller.unref().add(event.fd, EPOLLIN).ref();
    setTimeout(() => event.notify(), 20).unref();
  },
};
ways[process.argv[2]]();
