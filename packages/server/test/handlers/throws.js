'use strict';
module.exports = {
  message(connection, message) {
    const text = message.utf8();
    if (text !== 'bad') return void connection.send(text);
    const cause = Object.assign(new Error('the cause'), { code: 'ERR_CAUSE', callback: () => {} });
    throw Object.assign(new TypeError(text, { cause }), { code: 'ERR_OF_MINE', detail: 5, callback: () => {} });
  },
};
