module.exports = {
  // Nothing keeps its thread alive: it ends, and listen() need not wait for ever.
  start() {
    return new Promise(() => {});
  },
};
