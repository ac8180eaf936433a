const PONG = Buffer.from('+PONG\r\n');

export default {
  message(connection) {
    connection.write(PONG);
  },
};
