'use strict';
module.exports = {
  stop() {
    throw Object.assign(new RangeError('stop failed'), { code: 'ERR_OF_MINE' });
  },
};
