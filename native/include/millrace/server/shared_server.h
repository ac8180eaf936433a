#pragma once

#include <sys/random.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>

#include "millrace/concurrent/mpmc_queue.h"
#include "millrace/server/staged_pipeline.h"

namespace millrace {

// A pipeline that several threads of the process hold: the one that made it, its workers,
// publishers, and every view of its arena. Found by a token (a number and a nonce, never a
// pointer); the memory goes with the last holder. share(), find() and announcements are for any
// thread.
class SharedServer {
 public:
  explicit SharedServer(const PipelineOptions& options)
      : pipeline(options), announced_(options.descriptors) {}

  static std::shared_ptr<SharedServer> make(const PipelineOptions& options) {
    auto server = std::make_shared<SharedServer>(options);
    Registry& registry = Registry::instance();
    const std::lock_guard guard(registry.lock);
    server->id_ = ++registry.last_id;
    while (server->nonce_ == 0) ::getrandom(&server->nonce_, sizeof server->nonce_, 0);
    registry.servers.emplace(server->id_, server);
    return server;
  }

  // nullptr: no such server lives, or the token is of another process or copy of this code.
  static std::shared_ptr<SharedServer> find(std::uint32_t id, std::uint32_t nonce) {
    Registry& registry = Registry::instance();
    // Outlives the lock: it may have become the last holder, and its end takes the lock.
    std::shared_ptr<SharedServer> server;
    const std::lock_guard guard(registry.lock);
    const auto found = registry.servers.find(id);
    if (found == registry.servers.end()) return nullptr;
    server = found->second.lock();
    return server != nullptr && server->nonce_ == nonce ? server : nullptr;
  }

  ~SharedServer() {
    pipeline.stop();
    Registry& registry = Registry::instance();
    const std::lock_guard guard(registry.lock);
    registry.servers.erase(id_);
  }

  std::uint32_t id() const { return id_; }
  std::uint32_t nonce() const { return nonce_; }

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
  // No destructor: threads may look things up while the process ends.
  struct Registry {
    std::mutex lock;
    std::map<std::uint32_t, std::weak_ptr<SharedServer>> servers;
    std::uint32_t last_id = 0;

    static Registry& instance() {
      alignas(Registry) static unsigned char memory[sizeof(Registry)];
      static Registry* const registry = new (memory) Registry();
      return *registry;
    }
  };

  std::uint32_t id_ = 0;
  std::uint32_t nonce_ = 0;
  MpmcQueue<std::uint64_t> announced_;
  std::atomic<bool> announcing_{false};
  std::atomic<std::uint64_t> unannounced_{0};
};

}  // namespace millrace
