#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/io/socket.h"
#include "millrace/server/staged_pipeline.h"
#include "support/loopback_client.h"
#include "support/pipeline_test_options.h"
#include "support/worker_thread.h"

namespace millrace {

// A whole server on threads, and one more that reads its statistics all the time. At every look
// received = handled + failed + dropped + in_flight.
class StagedServer {
 public:
  using MakeHandler = std::function<ScriptedWorker::Handler()>;

  explicit StagedServer(
      const PipelineOptions& options = pipeline_test_options(),
      MakeHandler make_handler = [] { return &ScriptedWorker::echo_all; })
      : pipeline(options), make_handler_(std::move(make_handler)) {
    EXPECT_FALSE(pipeline.open());
    FileDescriptor listener;
    ListenOptions listen;
    listen.host = "127.0.0.1";
    EXPECT_FALSE(listen_tcp(listen, listener));
    SocketAddress address;
    EXPECT_FALSE(local_address(listener.get(), address));
    port = address.port;
    for (std::uint32_t i = 0; i < options.workers; ++i) workers.push_back(make_worker(i));
    EXPECT_FALSE(pipeline.start(std::move(listener)));
    watcher_ = std::thread([this] { watch(); });
  }
  ~StagedServer() {
    done_.store(true);
    watcher_.join();
    workers.clear();
  }

  // Ends a worker after `messages` descriptors of a batch, and puts another in its place. True: it
  // was in the middle of one.
  bool replace_worker(std::uint32_t index, std::uint32_t messages) {
    const bool caught = workers[index]->die(messages);
    workers[index] = make_worker(index);
    return caught;
  }

  MessageLedger ledger() {
    MessageLedger sum;
    for (const auto& inbox : pipeline.core.inboxes) {
      const MessageLedger one = inbox->ledger();
      sum.received += one.received;
      sum.handled += one.handled;
      sum.failed += one.failed;
      sum.dropped += one.dropped;
      sum.in_flight += one.in_flight;
    }
    return sum;
  }

  void wait_until_empty() {
    while (pipeline.core.table.open_count() != 0) std::this_thread::yield();
  }

  // Bytes in the arena beside what the threads own for their lives: output blocks and a read block.
  // Exact when nothing moves.
  std::size_t bytes_in_use() {
    const std::size_t fixed = workers.size() * Outbox::arena_bytes() + Input::kReadBlockBytes;
    const std::size_t now = pipeline.core.store.slab().stats().in_use_bytes;
    return now > fixed ? now - fixed : 0;
  }

  StagedPipeline pipeline;
  std::uint16_t port = 0;
  std::vector<std::unique_ptr<WorkerThread>> workers;
  std::atomic<std::uint64_t> looks{0};

 private:
  std::unique_ptr<WorkerThread> make_worker(std::uint32_t index) {
    return std::make_unique<WorkerThread>(pipeline.core, index, make_handler_());
  }

  void watch() {
    while (!done_.load(std::memory_order_relaxed)) {
      for (const auto& inbox : pipeline.core.inboxes) {
        const MessageLedger l = inbox->ledger();
        EXPECT_EQ(l.received, l.handled + l.failed + l.dropped + l.in_flight);
        EXPECT_LE(inbox->high_water(), inbox->capacity());
      }
      // What statistics read, for the race detector.
      const PipelineCore& core = pipeline.core;
      EXPECT_LE(core.receive_queue.depth() + core.send_queue.depth(), 4 * core.options.descriptors);
      EXPECT_LE(core.store.slab().stats().in_use_bytes, 2 * core.store.max_bytes());
      looks.fetch_add(1, std::memory_order_relaxed);
      std::this_thread::yield();
    }
  }

  MakeHandler make_handler_;
  std::atomic<bool> done_{false};
  std::thread watcher_;
};

}  // namespace millrace
