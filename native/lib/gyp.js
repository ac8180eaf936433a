// The lists of flags.js as gyp's `<!@(…)` reads them: words with blanks between.
'use strict';

const flags = require('./compile/flags.js');

module.exports = Object.fromEntries(Object.entries(flags).map(([name, list]) => [name, list.join(' ')]));
