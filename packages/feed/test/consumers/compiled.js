'use strict';
// As tsc compiles a module with a default export to CommonJS.
Object.defineProperty(exports, '__esModule', { value: true });
exports.default = { batch() {} };
