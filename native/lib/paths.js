'use strict';

const path = require('node:path');

const root = path.dirname(__dirname);

module.exports = {
  includeDir: path.join(root, 'include'),
  cmakeDir: root,
};
