#pragma once

#include <sys/random.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "millrace/base/clock.h"
#include "millrace/feed/feed.h"
#include "millrace/feed/feed_address.h"

namespace millrace {

// How another thread finds a feed: by a number, never by a pointer, as long as one thread holds a
// handle on it. With the last handle the feed ends: what is left is dropped, and native producers
// that still have its address are told that it is closed.
// Any thread. One for a loaded addon; it is never destroyed, as threads may still use it while the
// process exits. A second copy of the addon has a registry, and a nonce, of its own.
class FeedRegistry {
 public:
  static FeedRegistry& instance() {
    static FeedRegistry* const registry = new FeedRegistry;
    return *registry;
  }

  // Tells tokens of this registry from those of another; less than 2^48.
  std::uint64_t nonce() const { return nonce_; }

  // The number of a new feed, with one handle on it.
  std::uint32_t add(std::shared_ptr<Feed> feed) {
    const std::lock_guard guard(lock_);
    const std::uint32_t id = ++last_id_;
    feeds_.emplace(id, Shared{std::move(feed), 1, nullptr});
    return id;
  }

  // One handle more; nullptr when there is no such feed any more.
  std::shared_ptr<Feed> attach(std::uint32_t id) {
    const std::lock_guard guard(lock_);
    const auto found = feeds_.find(id);
    if (found == feeds_.end()) return nullptr;
    ++found->second.handles;
    return found->second.feed;
  }

  // Where native producers find the feed; valid while there is a handle.
  std::uint64_t address(std::uint32_t id) {
    const std::lock_guard guard(lock_);
    Shared& shared = feeds_.find(id)->second;
    if (shared.address == nullptr) shared.address = FeedAddress::make(shared.feed);
    return shared.address->value();
  }

  // One handle less. REQUIRES: it came from add() or attach().
  void detach(std::uint32_t id) {
    Shared last;
    {
      const std::lock_guard guard(lock_);
      const auto found = feeds_.find(id);
      if (--found->second.handles != 0) return;
      last = std::move(found->second);
      feeds_.erase(found);
    }
    last.feed->close();
    last.feed->discard(true);
    if (last.address != nullptr) last.address->release();
  }

 private:
  struct Shared {
    std::shared_ptr<Feed> feed;
    std::uint32_t handles = 0;
    FeedAddress* address = nullptr;
  };

  FeedRegistry() {
    if (::getrandom(&nonce_, sizeof(nonce_), 0) != sizeof(nonce_)) {
      nonce_ = static_cast<std::uint64_t>(monotonic_ns());
    }
    nonce_ &= (std::uint64_t{1} << 48) - 1;
  }

  std::mutex lock_;
  std::map<std::uint32_t, Shared> feeds_;
  std::uint32_t last_id_ = 0;
  std::uint64_t nonce_ = 0;
};

}  // namespace millrace
