#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>

#include "millrace/base/spin_lock.h"
#include "millrace/memory/thread_registry.h"

namespace millrace {

// What every cache begins with.
class CacheSlot {
 private:
  template <class Cache, class Store>
  friend class ThreadCaches;
  // Of the thread it belongs to; nullptr if it is nobody's. Guarded by the lock of the caches.
  const ThreadRegistry::Busy* owner_ = nullptr;
};

// The caches of the threads that use a store of something scarce (blocks, records), each of them
// one thread's until it ends. Cache: derived from CacheSlot. Store: says what to do with one, by
//   void start(Cache&)      on its first use, default-constructed
//   void empty(Cache&)      to take back what is in it
//   bool plenty() const     whether so much is left that threads may cache
// Any thread may call anything but open() and close(). Caches lie in memory that open() is given,
// touched when a thread first claims one. Entering and leaving a cache costs a few plain loads and
// stores.
//
// Caches hold what another thread may need. empty_all() takes it back from every thread, running or
// not; unless plenty is left then, caches stay suspended until there is.
template <class Cache, class Store>
class ThreadCaches final : private ThreadRegistry::Domain {
 public:
  ThreadCaches() = default;
  ThreadCaches(const ThreadCaches&) = delete;
  ThreadCaches& operator=(const ThreadCaches&) = delete;

  // `memory`: cache_count times cache_bytes, which may be more than a Cache is.
  void open(Store& store, std::byte* memory, std::size_t cache_bytes, std::uint32_t cache_count,
            bool use_membarrier) noexcept {
    store_ = &store;
    memory_ = memory;
    cache_bytes_ = cache_bytes;
    cache_count_ = cache_count;
    opened_.store(0, std::memory_order_relaxed);
    unclaimed_.store(cache_count, std::memory_order_relaxed);
    ThreadRegistry::add(*this, use_membarrier);
  }

  // Returns when no ending thread can reach the caches. What is in them is forgotten.
  void close() noexcept {
    ThreadRegistry::remove(*this);
    cache_count_ = 0;
    opened_.store(0, std::memory_order_relaxed);
    unclaimed_.store(0, std::memory_order_relaxed);
  }

  // The calling thread's cache, until leave(). nullptr if caches are suspended, or if the thread
  // has none, or has since used caches of another kind: enter_slow() makes up for the latter two.
  Cache* enter(ThreadRegistry::Thread& self) const noexcept {
    return static_cast<Cache*>(ThreadRegistry::enter(self, *this));
  }
  Cache* enter_slow(ThreadRegistry::Thread& self) noexcept {
    const bool may_claim = unclaimed_.load(std::memory_order_relaxed) != 0;
    return static_cast<Cache*>(ThreadRegistry::enter_slow(self, *this, may_claim));
  }
  void leave(ThreadRegistry::Thread& self) const noexcept { ThreadRegistry::leave(self); }

  // Gives the calling thread's cache back.
  void detach() noexcept { ThreadRegistry::detach(*this); }

  // Waits for another thread that does the same.
  [[gnu::noinline]] void empty_all() noexcept {
    std::lock_guard guard(lock_);
    if (!ThreadRegistry::suspended(*this)) {
      ThreadRegistry::suspend(*this);
      for_each([this](Cache& cache) {
        const ThreadRegistry::Busy* const owner = static_cast<CacheSlot&>(cache).owner_;
        if (owner == nullptr) return;
        ThreadRegistry::wait_for(*owner);
        store_->empty(cache);
      });
    }
    if (store_->plenty()) ThreadRegistry::resume(*this);
  }

  // To be called when something has been given back to the store itself.
  void store_grew() noexcept {
    if (!ThreadRegistry::suspended(*this) || !store_->plenty()) return;
    // Whoever holds it looks at the store when it is done.
    if (!lock_.try_lock()) return;
    ThreadRegistry::resume(*this);
    lock_.unlock();
  }

  // Each cache that was ever used. Only what is atomic in it may be looked at.
  template <class Visit>
  void for_each(Visit visit) const {
    // Acquire: pairs with the release in claim().
    const std::uint32_t opened = opened_.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < opened; ++i) visit(at(i));
  }

 private:
  Cache& at(std::uint32_t index) const noexcept {
    return *reinterpret_cast<Cache*>(memory_ + index * cache_bytes_);
  }
  CacheSlot& slot(std::uint32_t index) const noexcept { return at(index); }

  void* claim(const ThreadRegistry::Busy& busy) noexcept override {
    std::lock_guard guard(lock_);
    const std::uint32_t opened = opened_.load(std::memory_order_relaxed);
    std::uint32_t index = 0;
    while (index < opened && slot(index).owner_ != nullptr) ++index;
    if (index == cache_count_) return nullptr;
    if (index == opened) {
      store_->start(*new (&at(index)) Cache);
      // Release: pairs with the load in for_each().
      opened_.store(opened + 1, std::memory_order_release);
    }
    slot(index).owner_ = &busy;
    unclaimed_.fetch_sub(1, std::memory_order_relaxed);
    return &at(index);
  }

  // The owner calls it, so nobody is inside.
  void give_back(void* part) noexcept override {
    Cache& cache = *static_cast<Cache*>(part);
    {
      std::lock_guard guard(lock_);
      store_->empty(cache);
      static_cast<CacheSlot&>(cache).owner_ = nullptr;
    }
    unclaimed_.fetch_add(1, std::memory_order_relaxed);
    store_grew();
  }

  Store* store_ = nullptr;
  std::byte* memory_ = nullptr;
  std::size_t cache_bytes_ = 0;
  std::uint32_t cache_count_ = 0;
  std::atomic<std::uint32_t> opened_{0};     // caches that were ever claimed: the first so many
  std::atomic<std::uint32_t> unclaimed_{0};  // a hint
  // Of who suspends, and of the caches' owners. Taken inside the registry's lock, and outside those
  // of the store; whoever waits for it is in no cache.
  SpinLock lock_;
};

}  // namespace millrace
