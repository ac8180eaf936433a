#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <vector>

#include "millrace/base/parker.h"
#include "millrace/framing/framing.h"
#include "millrace/io/epoll.h"
#include "millrace/server/address_counts.h"
#include "millrace/server/block_store.h"
#include "millrace/server/close_reason.h"
#include "millrace/server/connection_table.h"
#include "millrace/server/idle_timers.h"
#include "millrace/server/inbox.h"
#include "millrace/server/key_queue.h"
#include "millrace/server/outbox.h"
#include "millrace/server/pipeline_options.h"
#include "millrace/server/published_queue.h"
#include "millrace/server/topic_table.h"

namespace millrace {

// What the stages share: memory, the table, the queues between them. It knows no thread; a
// placement (StagedPipeline) decides who runs which stage. Members are for the threads that their
// own comments name; close() is for any thread.
class PipelineCore : public ConnectionTable::Releaser {
 public:
  // Of 64 workers, the server's own thread and publishers.
  static constexpr std::uint32_t kMaxOutboxes = 128;

  explicit PipelineCore(const PipelineOptions& options)
      : options(options),
        framing(options.framing),
        table(options.descriptors, options.max_connections, *this),
        topics(options.max_subscriptions, store),
        published(this->options, counters.published, store),  // the argument may be a temporary
        addresses(options.max_per_address, options.max_connections),
        receive_queue(options.descriptors, receiver_parker),
        send_queue(options.descriptors, sender_parker),
        timers(options.max_connections, reaper_parker),
        sent(new std::atomic<std::uint32_t>[options.descriptors]()) {
    for (std::uint32_t i = 0; i < options.workers; ++i) {
      inboxes.push_back(std::make_unique<Inbox>(options.inbox_capacity));
    }
  }
  virtual ~PipelineCore() = default;

  SystemError open() {
    if (const SystemError error = store.open(options.max_bytes)) return error;
    if (const SystemError error = published.open()) return error;
    if (const SystemError error = table.open()) return error;
    if (const SystemError error = epoll.open()) return error;
    // A queue that did not get its memory takes nothing.
    if (receive_queue.capacity() == 0 || send_queue.capacity() == 0) return {ENOMEM, "malloc"};
    for (const auto& inbox : inboxes) {
      if (const SystemError error = inbox->open()) return error;
    }
    return {};
  }

  // Any thread, the connection pinned. The first caller's reason counts. The peer sees the end at
  // once, however long a handler may still hold the record; the descriptor is closed at the last
  // unpin.
  void close(Connection& connection, CloseReason reason) {
    if (!table.begin_close(connection, reason)) return;
    const int fd = static_cast<int>(connection.key.fd);
    epoll.remove(fd);
    ::shutdown(fd, SHUT_RDWR);
    count(counters.closed[static_cast<std::size_t>(reason)]);
    queue_receive(connection.key);
    // Its output goes at once, too, and not when a worker that may be stuck has heard of the close.
    if (connection.backlog_bytes.load(std::memory_order_relaxed) != 0) queue_send(connection.key);
  }

  void queue_receive(ConnectionKey key) {
    if (!table.slot(key.fd).receive.admit()) return;
    receive_queue.push(key);
    receive_queue.wake();
  }

  void queue_send(ConnectionKey key) {
    if (!table.slot(key.fd).send.admit()) return;
    send_queue.push(key);
    send_queue.wake();
  }

  void pause(Connection& connection, PauseBit bit) {
    connection.paused.fetch_or(bit, std::memory_order_seq_cst);
  }

  // Unread bytes may wait without an edge to come: whoever lifts the last bar queues the key.
  // seq_cst: pairs with the receiver's look at the word.
  void resume(Connection& connection, PauseBit bit) {
    if (connection.paused.fetch_and(~static_cast<std::uint32_t>(bit), std::memory_order_seq_cst) ==
        bit) {
      queue_receive(connection.key);
    }
  }

  void tell(Connection& connection, ConnectionEvent event) {
    connection.events.fetch_or(event, std::memory_order_seq_cst);
    queue_receive(connection.key);
  }

  // What a connection that ends still had to send. The sender's thread, or the last unpin.
  void drop_output(Connection& connection) {
    published.drop(connection);
    std::uint32_t block = connection.send.head;
    while (block != kNoBlock) {
      const std::uint32_t next = store.next(block);
      store.release_held(block);
      block = next;
    }
    connection.send.head = connection.send.tail = kNoBlock;
    connection.backlog_bytes.store(0, std::memory_order_relaxed);
  }

  // The last unpin, on whatever thread: gives back what the connection had, then its descriptor.
  void release(Connection& connection) override {
    timers.arm(connection, IdleTimers::kNever);
    topics.drop(connection);
    drop_output(connection);
    if (connection.receive.block != kNoBlock) store.release_held(connection.receive.block);
    addresses.leave(connection);
    inboxes[connection.worker.load(std::memory_order_relaxed)]->connections.fetch_sub(
        1, std::memory_order_relaxed);
    const int fd = static_cast<int>(connection.key.fd);
    table.forget(connection);
    ::close(fd);
  }

  // `wanted`, if nobody has it; else any that the sender has emptied. nullptr: there is none, or no
  // memory for its blocks.
  Outbox* claim_outbox() {
    for (std::uint32_t i = 0; i < kMaxOutboxes; ++i) {
      Outbox& outbox = outboxes[i];
      bool expected = false;
      if (outbox.depth() == 0 &&
          outbox.used.compare_exchange_strong(expected, true, std::memory_order_acq_rel)) {
        std::uint32_t known = outbox_count.load(std::memory_order_relaxed);
        while (known <= i &&
               !outbox_count.compare_exchange_weak(known, i + 1, std::memory_order_seq_cst)) {
        }
        if (outbox.open(store)) return &outbox;
        give_back_outbox(outbox);
        return nullptr;
      }
    }
    return nullptr;
  }

  void give_back_outbox(Outbox& outbox) {
    outbox.close(store);
    outbox.used.store(false, std::memory_order_release);
  }

  const PipelineOptions options;
  const Framing framing;
  PipelineCounters counters;
  BlockStore store;
  ConnectionTable table;
  TopicTable topics;
  PublishedQueue published;
  AddressCounts addresses;
  Epoll epoll;
  Parker receiver_parker;
  Parker sender_parker;
  Parker reaper_parker;
  KeyQueue receive_queue;
  KeyQueue send_queue;
  IdleTimers timers;
  std::vector<std::unique_ptr<Inbox>> inboxes;
  Outbox outboxes[kMaxOutboxes];
  std::atomic<std::uint32_t> outbox_count{0};  // those ever claimed
  // Bytes that left each descriptor's output, modulo 2^32: JavaScript subtracts it from what it
  // wrote.
  std::unique_ptr<std::atomic<std::uint32_t>[]> sent;
  std::atomic<bool> draining{false};
  std::atomic<bool> stopping{false};
  std::atomic<bool> memory_short{false};  // the receiver waits for memory
};

}  // namespace millrace
