module.exports = {
  start() {
    process.exit(3);
  },
};
