// Run with epoll_wait failing: the callback hears of it once, and nothing spins.
'use strict';

const { Epoll, EPOLLIN, EventFd } = require('@millrace/epoll');

const event = new EventFd({ initial: 1 });
const heard = [];
const poller = new Epoll((error, fd, events) => {
  heard.push([error.code, error.syscall, fd, events]);
  setTimeout(() => {
    poller.close();
    console.log(JSON.stringify(heard));
  }, 50);
});
poller.add(event.fd, EPOLLIN);
