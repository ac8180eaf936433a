export default {
  message(connection) {
    connection.send('es-module.mjs');
  },
};
