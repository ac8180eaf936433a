'use strict';

function codedError(code, message, { ErrorType = Error, cause, ...properties } = {}) {
  const error = cause === undefined ? new ErrorType(message) : new ErrorType(message, { cause });
  // The frame that called the maker is where the mistake is, not this one.
  Error.captureStackTrace(error, codedError);
  return Object.assign(error, { code, ...properties });
}

module.exports = { codedError };
