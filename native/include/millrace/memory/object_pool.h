#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "millrace/base/system_error.h"
#include "millrace/memory/index_pool.h"

namespace millrace {

// A bounded number of objects of one type, named by their index and used again and again. Acquiring
// is apart from constructing: an object is default-constructed when it is first acquired, and after
// that keeps, from one holder to the next, whatever it owns and holds; who acquires it resets what
// must be reset. All are destroyed with the pool, held or not.
// Any thread may call anything but open() and close(). Owns one mapping, whose physical memory is
// taken as objects are first used. A pair costs 5-7 ns; see IndexPool.
template <class T>
class ObjectPool {
  static_assert(std::is_default_constructible_v<T>);
  static_assert(alignof(T) <= 4096);

 public:
  static constexpr std::uint32_t kThreadCaches = 32;

  ObjectPool() = default;
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;
  ~ObjectPool() { close(); }

  // capacity: objects, 1 to IndexPool::kMaxCapacity (else EINVAL). ENOMEM when there is not enough
  // address space.
  SystemError open(std::uint32_t capacity) {
    close();
    if (capacity == 0 || capacity > IndexPool::kMaxCapacity) return {EINVAL, "pool_open"};
    void* const memory = ::mmap(nullptr, bytes(capacity), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    memory_ = static_cast<std::byte*>(memory);
    indices_.open(capacity, kThreadCaches, memory_ + object_bytes(capacity));
    return {};
  }

  // REQUIRES: nobody uses the pool or an object of it. Idempotent.
  void close() noexcept {
    if (memory_ == nullptr) return;
    if constexpr (!std::is_trivially_destructible_v<T>) std::destroy_n(objects(), indices_.used());
    const std::size_t length = bytes(indices_.capacity());
    indices_.close();
    ::munmap(std::exchange(memory_, nullptr), length);
  }

  // A free object's index, or kNoObject when all are held (or the pool is closed).
  std::uint32_t acquire() noexcept {
    return indices_.acquire([this](std::uint32_t index) { new (objects() + index) T(); });
  }

  // False when nobody holds the index: it was released already, or is none of this pool.
  bool release(std::uint32_t index) noexcept { return indices_.release(index); }

  // REQUIRES: the index was acquired at least once. One load, no check.
  T& at(std::uint32_t index) noexcept { return objects()[index]; }
  const T& at(std::uint32_t index) const noexcept { return objects()[index]; }

  bool held(std::uint32_t index) const noexcept { return indices_.held(index); }
  std::uint32_t capacity() const noexcept { return indices_.capacity(); }
  // Objects held now; approximate while others acquire and release.
  std::uint32_t size() const noexcept { return indices_.size(); }
  void release_thread_cache() noexcept { indices_.release_thread_cache(); }

  // Address space of such a pool, and the most physical memory it can take.
  static std::size_t bytes(std::uint32_t capacity) {
    return object_bytes(capacity) + IndexPool::bytes(capacity, kThreadCaches);
  }

 private:
  static std::size_t object_bytes(std::uint32_t capacity) {
    return (std::size_t{capacity} * sizeof(T) + kCacheLineBytes - 1) / kCacheLineBytes *
           kCacheLineBytes;
  }

  T* objects() const noexcept { return reinterpret_cast<T*>(memory_); }

  std::byte* memory_ = nullptr;
  IndexPool indices_;
};

}  // namespace millrace
