// As a compiler writes an ES module for CommonJS.
'use strict';
Object.defineProperty(exports, '__esModule', { value: true });
exports.default = (value) => `compiled ${value}`;
exports.named = (value) => `named ${value}`;
