'use strict';
/** Leaves something that keeps its thread alive, and fails. */
setInterval(() => {}, 1_000_000);
throw new Error('loading failed');
