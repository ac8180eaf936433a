'use strict';
Object.defineProperty(exports, '__esModule', { value: true });
exports.default = {
  message(connection) {
    connection.send('compiled-default.js');
  },
};
