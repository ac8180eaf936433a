'use strict';
module.exports = (value) => `plain ${value}`;
module.exports.named = (value) => `named ${value}`;
