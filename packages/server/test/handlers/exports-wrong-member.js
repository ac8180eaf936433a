module.exports = { message: 'no function' };
