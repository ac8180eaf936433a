// Tokens: how what one thread shares is named to the other threads of its process.
'use strict';

const { checkObject, invalidValue } = require('./check.js');
const { codedError } = require('./coded-error.js');

function makeToken(kind, { id, nonce, copy }, extra) {
  return { kind, id, nonce, copy, pid: process.pid, ...extra };
}

function readToken(kind, token, { copy, package: name }) {
  const given = checkObject('token', token);
  if (given.kind !== kind || !Number.isSafeInteger(given.id) || !Number.isSafeInteger(given.nonce)) {
    throw invalidValue('token', `must be what share() of a ${kind} answered`, token);
  }
  if (given.pid !== process.pid) {
    throw codedError(
      'ERR_SHARED_GONE',
      `The token is of process ${given.pid}. A ${kind} is shared by the threads of one process, and this is ${process.pid}`,
    );
  }
  if (given.copy !== copy) {
    throw codedError(
      'ERR_LAYOUT_MISMATCH',
      `The token was made by another copy of ${name}, loaded in this process from another folder. ` +
        `See that all threads load the same one ("npm ls ${name}", "npm dedupe")`,
    );
  }
  return given;
}

function sharedGone(kind) {
  return codedError(
    'ERR_SHARED_GONE',
    `Every thread has closed the ${kind} that the token names. Keep one handle open until the others have attached`,
  );
}

module.exports = { makeToken, readToken, sharedGone };
