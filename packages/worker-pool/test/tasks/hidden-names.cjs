// Exports that cannot be seen without running it.
'use strict';
const all = { default: (value) => `hidden ${value}` };
for (const name of ['a', 'b']) all[name] = (value) => `${name} ${value}`;
module.exports = all;
