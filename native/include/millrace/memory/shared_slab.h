#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "millrace/base/shared_object.h"
#include "millrace/base/system_error.h"
#include "millrace/memory/script_cache.h"
#include "millrace/memory/slab_allocator.h"

namespace millrace {

// A slab that several threads of the process hold: a token finds it while one of them does. The
// memory is apart, since views of it may outlive every handle: it is unmapped with the last of
// both. Any thread. Owns nothing but the list of its users' caches, which it needs for figures.
// Costs nothing once it is held: memory() is the slab itself.
class SharedSlab : public SharedObject<SharedSlab> {
 public:
  explicit SharedSlab(std::shared_ptr<SlabAllocator> memory) : memory_(std::move(memory)) {}

  // Null, and an error, for what SlabAllocator::open() refuses.
  static std::shared_ptr<SharedSlab> open(const SlabOptions& options, SystemError& error) {
    auto memory = std::make_shared<SlabAllocator>();
    error = memory->open(options);
    if (error) return nullptr;
    return make(std::move(memory));
  }

  const std::shared_ptr<SlabAllocator>& memory() const noexcept { return memory_; }

  // The cache must be removed before it goes.
  void add_cache(const ScriptCache& cache) {
    const std::lock_guard guard(lock_);
    caches_.push_back(&cache);
  }
  void remove_cache(const ScriptCache& cache) {
    const std::lock_guard guard(lock_);
    removed_allocations_ += cache.allocations();
    caches_.erase(std::find(caches_.begin(), caches_.end(), &cache));
  }

  SlabStats stats() const {
    SlabStats stats = memory_->stats();
    const std::lock_guard guard(lock_);
    for (const ScriptCache* const cache : caches_) cache->correct(stats);
    stats.allocations += removed_allocations_;
    stats.frees += removed_allocations_;
    return stats;
  }

 private:
  const std::shared_ptr<SlabAllocator> memory_;
  mutable std::mutex lock_;
  std::vector<const ScriptCache*> caches_;
  std::uint64_t removed_allocations_ = 0;  // out of caches that are gone
};

}  // namespace millrace
