import { native } from './native.js';

/** There is something to read, or to accept. */
export const EPOLLIN: number = native.EPOLLIN;
/** Urgent data: out of band on a socket, an interrupt on a GPIO value file. */
export const EPOLLPRI: number = native.EPOLLPRI;
/** A write would take something. */
export const EPOLLOUT: number = native.EPOLLOUT;
/** An error, or the reading end of a pipe is gone. Reported whether asked for or not. */
export const EPOLLERR: number = native.EPOLLERR;
/** Both ends are shut down. Reported whether asked for or not. */
export const EPOLLHUP: number = native.EPOLLHUP;
/** The peer will write no more. */
export const EPOLLRDHUP: number = native.EPOLLRDHUP;
/** Of several epoll instances that watch the same file, at least one is told, not all. For `add` only. */
export const EPOLLEXCLUSIVE: number = native.EPOLLEXCLUSIVE;
/** Reports once, then nothing until `modify`. */
export const EPOLLONESHOT: number = native.EPOLLONESHOT;
/** Reports when something new comes, not as long as something is there: read until EAGAIN. */
export const EPOLLET: number = native.EPOLLET;
