'use strict';

module.exports = {
  ...require('./paths.js'),
  ...require('./coded-error.js'),
  ...require('./check.js'),
  ...require('./load-addon.js'),
  ...require('./token.js'),
};
