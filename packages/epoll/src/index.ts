export { Epoll } from './epoll.js';
export { EpollSet } from './epoll-set.js';
export { EventFd } from './event-fd.js';
export {
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from './flags.js';
export type { ErrorCode } from './errors.js';
