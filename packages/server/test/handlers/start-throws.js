module.exports = {
  start() {
    throw Object.assign(new Error('start failed'), { code: 'ERR_OF_MINE' });
  },
};
