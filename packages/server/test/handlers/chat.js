'use strict';
/** "subscribe T" and "publish T payload", each answered. */
module.exports = {
  message(connection, message) {
    const [word, topic, ...rest] = message.utf8().split(' ');
    if (word === 'subscribe') {
      connection.subscribe(topic);
      connection.send('subscribed');
    } else {
      connection.send(`reached ${connection.publish(topic, rest.join(' '))}`);
    }
  },
};
