#pragma once

#include <cstdint>

#include "millrace/server/connection_table.h"

namespace millrace {

// Connections that wait for the same thing, first come first served: whoever takes all that came
// free goes behind those that got nothing. Linked by descriptor through Connection.receive; a
// connection is in one list at a time, and pinned while it is.
// The receiver's thread. Owns the pins. O(1), no allocation.
class WaitingList {
 public:
  bool empty() const { return first_ == 0; }

  // REQUIRES: !connection.receive.waiting.
  void push(ConnectionTable& table, Connection& connection) {
    table.pin(connection.key, true);
    connection.receive.waiting = true;
    connection.receive.next_waiting = 0;
    const std::uint32_t link = connection.key.fd + 1;
    if (first_ == 0) {
      first_ = link;
    } else {
      Connection* last = table.pin_current(last_ - 1);
      last->receive.next_waiting = link;
      table.unpin(*last);
    }
    last_ = link;
  }

  // The first, with the pin that was the list's. REQUIRES: !empty().
  Connection& pop(ConnectionTable& table) {
    Connection* connection = table.pin_current(first_ - 1);
    first_ = connection->receive.next_waiting;
    connection->receive.waiting = false;
    table.unpin(*connection);
    return *connection;
  }

 private:
  // Descriptor + 1; 0: none.
  std::uint32_t first_ = 0;
  std::uint32_t last_ = 0;
};

}  // namespace millrace
