#pragma once

#include <atomic>
#include <cstdint>

#include "millrace/base/shared_object.h"
#include "millrace/concurrent/mpmc_queue.h"
#include "millrace/server/staged_pipeline.h"

namespace millrace {

// A pipeline that several threads of the process hold: the one that made it, its workers,
// publishers, and every view of its arena; the memory goes with the last holder. make(), find() and
// announcements are for any thread.
class SharedServer : public SharedObject<SharedServer> {
 public:
  explicit SharedServer(const PipelineOptions& options)
      : pipeline(options), announced_(options.descriptors) {}
  ~SharedServer() { pipeline.stop(); }

  static std::size_t announcement_bytes(std::uint32_t descriptors) {
    return MpmcQueue<std::uint64_t>::bytes(descriptors);
  }

  // Whether new connections are announced to the owner's thread (somebody listens for them).
  void announce(bool on) { announcing_.store(on, std::memory_order_relaxed); }

  // Acceptor's thread. What the owner is too slow to take is counted, not kept.
  void on_accepted(ConnectionKey key) {
    if (!announcing_.load(std::memory_order_relaxed)) return;
    if (!announced_.try_push(key.packed())) {
      unannounced_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    pipeline.accepted_bell.ring();
  }

  bool next_announced(ConnectionKey& key) {
    std::uint64_t packed = 0;
    if (!announced_.try_pop(packed)) return false;
    key = ConnectionKey::unpack(packed);
    return true;
  }
  std::uint64_t unannounced() const { return unannounced_.load(std::memory_order_relaxed); }

  StagedPipeline pipeline;

 private:
  MpmcQueue<std::uint64_t> announced_;
  std::atomic<bool> announcing_{false};
  std::atomic<std::uint64_t> unannounced_{0};
};

}  // namespace millrace
