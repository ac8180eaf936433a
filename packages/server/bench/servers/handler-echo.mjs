export default {
  message(connection, message) {
    connection.send(message);
  },
};
