module.exports = {
  start() {
    return new Promise(() => {
      setTimeout(() => {
        throw new Error('nobody catches this');
      }, 1);
    });
  },
};
