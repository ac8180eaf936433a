module.exports = {
  async start() {
    await null;
    throw Object.assign(new Error('start failed'), { code: 'ERR_OF_MINE' });
  },
};
