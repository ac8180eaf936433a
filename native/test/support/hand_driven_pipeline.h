#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "millrace/io/socket.h"
#include "millrace/server/acceptor.h"
#include "millrace/server/event_loop.h"
#include "millrace/server/pipeline_core.h"
#include "millrace/server/reaper.h"
#include "millrace/server/receiver.h"
#include "millrace/server/sender.h"
#include "support/loopback_client.h"
#include "support/pipeline_test_options.h"
#include "support/scripted_worker.h"

namespace millrace {

// All stages on the test's own thread, each moved by hand: the order of things that threads leave
// to chance is the test's to choose. run_until() moves everything until what is waited for is
// there.
class HandDrivenPipeline {
 public:
  explicit HandDrivenPipeline(const PipelineOptions& options = pipeline_test_options())
      : core(options), acceptor(core), events(core), receiver(core), sender(core), reaper(core) {
    EXPECT_FALSE(core.open());
    FileDescriptor listener;
    ListenOptions listen;
    listen.host = "127.0.0.1";
    EXPECT_FALSE(listen_tcp(listen, listener));
    SocketAddress address;
    EXPECT_FALSE(local_address(listener.get(), address));
    port = address.port;
    EXPECT_FALSE(acceptor.open(std::move(listener)));
    acceptor.on_accepted(
        [](void* self, ConnectionKey key) {
          static_cast<HandDrivenPipeline*>(self)->accepted.push_back(key);
        },
        this);
    for (std::uint32_t i = 0; i < options.workers; ++i) {
      workers.emplace_back(core, i);
      EXPECT_TRUE(workers.back().attach());
    }
    // What reaches the workers, in order; the default also echoes.
    on_inbound = [](ScriptedWorker& worker, const InboundDescriptor& d) {
      ScriptedWorker::echo_all(worker, d);
    };
  }

  ~HandDrivenPipeline() {
    for (std::uint32_t fd = 0; fd < core.table.descriptors() && core.table.open_count() != 0;
         ++fd) {
      if (Connection* connection = core.table.pin_current(fd)) core.release(*connection);
    }
  }

  // Connects the client, and takes its connection.
  ConnectionKey accept(LoopbackClient& client) {
    EXPECT_TRUE(client.connect(port));
    const std::size_t before = accepted.size();
    while (accepted.size() == before) acceptor.step();
    return accepted.back();
  }

  // One round of every stage; true when any had work.
  bool round(bool workers_too = true) {
    events.step(0);
    bool worked = receiver.step();
    if (workers_too) {
      for (ScriptedWorker& worker : workers) worked |= run_worker(worker);
    }
    worked |= sender.step();
    return worked;
  }

  bool run_worker(ScriptedWorker& worker) {
    if (!worker.consumer().attached()) return false;  // it has ended
    return worker.run([this](ScriptedWorker& w, const InboundDescriptor& d) {
      note(w, d);
      on_inbound(w, d);
    });
  }

  template <class Ready>
  void run_until(Ready ready, bool workers_too = true) {
    while (!ready()) {
      if (!round(workers_too)) events.step(1);
    }
  }

  // Until nothing moves any more.
  void settle(bool workers_too = true) {
    while (round(workers_too)) {
    }
  }

  bool is_gone(ConnectionKey key) {
    Connection* connection = core.table.pin(key, true);
    if (connection == nullptr) return true;
    core.table.unpin(*connection);
    return false;
  }

  // How many of a kind the workers have taken for a connection.
  std::uint32_t seen(ConnectionKey key, InboundKind kind) const {
    std::uint32_t found = 0;
    for (const Seen& s : log) found += s.key == key && s.kind == kind ? 1 : 0;
    return found;
  }

  const std::string* first_text(ConnectionKey key) const {
    for (const Seen& s : log) {
      if (s.key == key && s.kind == kInMessage) return &s.text;
    }
    return nullptr;
  }

  std::uint32_t value_of(ConnectionKey key, InboundKind kind) const {
    for (const Seen& s : log) {
      if (s.key == key && s.kind == kind) return s.value;
    }
    return UINT32_MAX;
  }
  CloseReason close_reason(ConnectionKey key) const {
    return static_cast<CloseReason>(value_of(key, kInClose));
  }
  std::uint64_t closed(CloseReason reason) const {
    return core.counters.closed[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }

  struct Seen {
    ConnectionKey key;
    std::uint32_t kind;
    std::uint32_t value;
    std::string text;
  };

  PipelineCore core;
  Acceptor acceptor;
  EventLoop events;
  Receiver receiver;
  Sender sender;
  Reaper reaper;
  std::deque<ScriptedWorker> workers;
  std::uint16_t port = 0;
  std::vector<ConnectionKey> accepted;
  std::vector<Seen> log;
  ScriptedWorker::Handler on_inbound;

 private:
  void note(ScriptedWorker& worker, const InboundDescriptor& d) {
    const std::uint32_t kind = ScriptedWorker::kind_of(d);
    log.push_back({ScriptedWorker::key_of(d), kind, d.length,
                   kind == kInMessage ? std::string(worker.text(d)) : std::string()});
  }
};

}  // namespace millrace
