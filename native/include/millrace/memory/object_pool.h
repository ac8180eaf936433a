#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace millrace {

inline constexpr std::uint32_t kNoObject = 0xffffffffu;

// A fixed number of records of one kind, handed out by index. Construction is apart from allocation:
// acquire() answers storage as it was left, and who takes it builds what it needs there.
// Any thread acquires and releases; both are one compare-and-swap of a tagged list head (Treiber's
// stack: the tag in the upper half makes a head that was popped and pushed again a different one).
// Owns its storage, which the kernel gives page by page as records are first used.
template <class T>
class ObjectPool {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  // If the memory cannot be had, capacity() is 0.
  explicit ObjectPool(std::uint32_t capacity) {
    void* memory = ::mmap(nullptr, bytes(capacity), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    entries_ = static_cast<Entry*>(memory);
    capacity_ = capacity;
  }
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;
  ~ObjectPool() {
    if (entries_ != nullptr) ::munmap(entries_, bytes(capacity_));
  }

  static constexpr std::size_t bytes(std::uint32_t capacity) {
    return (std::size_t{capacity} + 1) * sizeof(Entry);
  }

  // kNoObject when all are out.
  std::uint32_t acquire() noexcept {
    // acquire: pairs with release()'s exchange of the head; whoever takes a record sees what its last
    // owner did with it.
    std::uint64_t head = head_.load(std::memory_order_acquire);
    while (index_of(head) != 0) {
      const std::uint32_t next =
          entries_[index_of(head) - 1].next.load(std::memory_order_relaxed);
      if (head_.compare_exchange_weak(head, tagged(next, head), std::memory_order_acquire,
                                      std::memory_order_acquire)) {
        return take(index_of(head) - 1);
      }
    }
    return acquire_fresh();
  }

  // False, and nothing happens, for an index that is not out.
  bool release(std::uint32_t index) noexcept {
    if (index >= capacity_) return false;
    Entry& entry = entries_[index];
    if (!entry.out.exchange(false, std::memory_order_acq_rel)) return false;
    size_.fetch_sub(1, std::memory_order_relaxed);
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    do {
      entry.next.store(index_of(head), std::memory_order_relaxed);
      // release: pairs with acquire().
    } while (!head_.compare_exchange_weak(head, tagged(index + 1, head), std::memory_order_release,
                                          std::memory_order_relaxed));
    return true;
  }

  // REQUIRES: index < capacity().
  T& at(std::uint32_t index) noexcept {
    return *std::launder(reinterpret_cast<T*>(entries_[index].storage));
  }

  std::uint32_t capacity() const noexcept { return capacity_; }
  std::uint32_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    alignas(T) std::byte storage[sizeof(T)];
    std::atomic<std::uint32_t> next;  // index + 1 of the next free record, 0: none
    std::atomic<bool> out;
  };

  // Lower half: index + 1 of the first free record; upper half: the tag.
  static std::uint32_t index_of(std::uint64_t head) { return static_cast<std::uint32_t>(head); }
  static std::uint64_t tagged(std::uint32_t index, std::uint64_t head) {
    return ((head >> 32) + 1) << 32 | index;
  }

  // Records that were never out need no list: their pages stay untouched until then.
  std::uint32_t acquire_fresh() noexcept {
    std::uint32_t fresh = fresh_.load(std::memory_order_relaxed);
    do {
      if (fresh == capacity_) return kNoObject;
    } while (!fresh_.compare_exchange_weak(fresh, fresh + 1, std::memory_order_relaxed));
    return take(fresh);
  }

  std::uint32_t take(std::uint32_t index) noexcept {
    entries_[index].out.store(true, std::memory_order_relaxed);
    size_.fetch_add(1, std::memory_order_relaxed);
    return index;
  }

  Entry* entries_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::atomic<std::uint64_t> head_{0};
  std::atomic<std::uint32_t> fresh_{0};
  std::atomic<std::uint32_t> size_{0};
};

}  // namespace millrace
