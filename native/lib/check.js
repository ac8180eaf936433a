// Argument checks, worded as Node words its own: the name of what was wrong, the constraint, the value received.
'use strict';

const { inspect } = require('node:util');
const { codedError } = require('./coded-error.js');

function describeType(value) {
  if (value === null || value === undefined) return `${value}`;
  if (typeof value === 'function') return value.name ? `function ${value.name}` : 'a function';
  if (typeof value === 'object') {
    return value.constructor?.name ? `an instance of ${value.constructor.name}` : inspect(value, { depth: -1 });
  }
  const text = inspect(value, { colors: false });
  return `type ${typeof value} (${text.length > 28 ? `${text.slice(0, 25)}...` : text})`;
}

const kindOf = (name) => (name.includes('.') ? 'property' : 'argument');

function wrongType(name, expected, value) {
  const message = `The "${name}" ${kindOf(name)} must be ${expected}. Received ${describeType(value)}`;
  return codedError('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
}

function outOfRange(name, constraint, value) {
  const message = `The value of "${name}" is out of range. It must be ${constraint}. Received ${inspect(value)}`;
  return codedError('ERR_OUT_OF_RANGE', message, { ErrorType: RangeError });
}

function checkBounds(name, value, min, max) {
  // Written so that NaN fails too.
  if (value >= min && value <= max) return value;
  if (max === Infinity) throw outOfRange(name, `>= ${min}`, value);
  throw outOfRange(name, `>= ${min} && <= ${max}`, value);
}

function checkNumber(name, value, min = -Infinity, max = Infinity) {
  if (typeof value !== 'number') throw wrongType(name, 'of type number', value);
  if (Number.isNaN(value)) throw outOfRange(name, 'a number', value);
  return checkBounds(name, value, min, max);
}

function checkInteger(name, value, min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER) {
  if (typeof value !== 'number') throw wrongType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  return checkBounds(name, value, min, max);
}

function integerOption(name, value, { min, max, default: fallback }) {
  return value === undefined ? fallback : checkInteger(name, value, min, max);
}

function checkBoolean(name, value) {
  if (typeof value !== 'boolean') throw wrongType(name, 'of type boolean', value);
  return value;
}

function checkString(name, value) {
  if (typeof value !== 'string') throw wrongType(name, 'of type string', value);
  return value;
}

function checkFunction(name, value) {
  if (typeof value !== 'function') throw wrongType(name, 'of type function', value);
  return value;
}

function checkBytes(name, value) {
  if (!(value instanceof Uint8Array)) throw wrongType(name, 'an instance of Buffer or Uint8Array', value);
  return value;
}

function checkObject(name, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongType(name, 'of type object', value);
  }
  return value;
}

function invalidValue(name, constraint, value) {
  const message = `The ${kindOf(name)} '${name}' ${constraint}. Received ${inspect(value)}`;
  return codedError('ERR_INVALID_ARG_VALUE', message, { ErrorType: TypeError });
}

function checkOneOf(name, value, list) {
  if (list.includes(value)) return value;
  const allowed = list.map((entry) => inspect(entry)).join(', ');
  throw invalidValue(name, `must be one of: ${allowed}`, value);
}

module.exports = {
  integerOption,
  checkInteger,
  checkNumber,
  checkBoolean,
  checkString,
  checkOneOf,
  checkFunction,
  checkBytes,
  checkObject,
  invalidValue,
};
