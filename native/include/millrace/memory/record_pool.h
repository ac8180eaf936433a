#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "millrace/base/cache_line.h"
#include "millrace/base/system_error.h"
#include "millrace/memory/index_pool.h"

namespace millrace {

// Records whose size is known at run time, in one block of memory that outlives the pool as long as
// somebody looks at it. What ObjectPool is to C++ types, with holders: what one of them has not
// released when it ends is taken back, unless it handed that on.
// Any thread may call anything but open(). Owns one mapping, whose physical memory is taken as
// records are first used; records start as zeroes and keep their bytes from one holder to the next.
// A pair costs 5-7 ns; see IndexPool.
//
//   0                         records     states                  end
//   | record 0 | record 1 | … | caches  | one u32 for each record |
//   `-- bytes that users see -'-- bookkeeping, on pages of its own -'
class RecordPool {
 public:
  static constexpr std::uint32_t kThreadCaches = 64;
  static constexpr std::uint32_t kMaxCapacity = 1u << 30;
  // Typed arrays above 4 GiB fail on Node.js 20.
  static constexpr std::uint64_t kMaxBytes = (std::uint64_t{4} << 30) - (64u << 10);
  // The holder of what has been handed on: its end never comes.
  static constexpr std::uint32_t kNobody = 0;

  // One mapping. Held by the pool, and by everyone who looks at its bytes.
  class Memory {
   public:
    Memory(std::byte* data, std::size_t bytes) : data_(data), bytes_(bytes) {}
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() { ::munmap(data_, bytes_); }
    std::byte* data() const noexcept { return data_; }

   private:
    std::byte* data_;
    std::size_t bytes_;
  };

  RecordPool() = default;
  RecordPool(const RecordPool&) = delete;
  RecordPool& operator=(const RecordPool&) = delete;

  // record_bytes: at least 1; capacity: 1 to kMaxCapacity records; both together at most kMaxBytes
  // (else EINVAL). ENOMEM when there is not enough address space. REQUIRES: not open.
  SystemError open(std::uint32_t record_bytes, std::uint32_t capacity) {
    if (record_bytes == 0 || capacity == 0 || capacity > kMaxCapacity ||
        std::uint64_t{record_bytes} * capacity > kMaxBytes) {
      return {EINVAL, "pool_open"};
    }
    const std::size_t length = bytes(record_bytes, capacity);
    void* const memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    memory_ = std::make_shared<Memory>(static_cast<std::byte*>(memory), length);
    record_bytes_ = record_bytes;
    indices_.open(capacity, kThreadCaches, memory_->data() + page_bytes(record_bytes, capacity));
    return {};
  }

  // A number for one who acquires: a handle of a thread. Not used again before 2^31 others were.
  std::uint32_t new_holder() noexcept {
    const std::uint32_t number = holders_.fetch_add(1, std::memory_order_relaxed);
    return 1 + number % (IndexPool::kAnybody - 1);
  }

  // A free record's index, or kNoObject when all are held.
  std::uint32_t acquire(std::uint32_t holder) noexcept {
    return indices_.acquire([](std::uint32_t) {}, holder);
  }
  // False when nobody holds it: it was released already, or is none of this pool.
  bool release(std::uint32_t index) noexcept { return indices_.release(index); }

  // From here on the end of whoever held the record leaves it alone. False when nobody holds it.
  bool hand_on(std::uint32_t index) noexcept {
    return indices_.pass(index, IndexPool::kAnybody, kNobody);
  }
  // Makes `holder` the one whose end takes the record back. False when nobody holds it.
  bool adopt(std::uint32_t index, std::uint32_t holder) noexcept {
    return indices_.pass(index, IndexPool::kAnybody, holder);
  }
  // The end of a holder: frees what it holds. Answers how many records that were. REQUIRES: nobody
  // acquires for it any more.
  std::uint32_t release_all_of(std::uint32_t holder) noexcept {
    return indices_.release_all_of(holder);
  }
  template <class Visit>
  void for_each_of(std::uint32_t holder, Visit visit) const noexcept {
    indices_.for_each_of(holder, visit);
  }

  std::uint32_t record_bytes() const noexcept { return record_bytes_; }
  std::uint32_t capacity() const noexcept { return indices_.capacity(); }
  // Records held now; approximate while others acquire and release.
  std::uint32_t size() const noexcept { return indices_.size(); }
  void release_thread_cache() noexcept { indices_.release_thread_cache(); }

  // record_bytes() * capacity() bytes.
  const std::shared_ptr<Memory>& memory() const noexcept { return memory_; }
  // The state of each record (IndexPool), to be looked at only.
  const std::atomic<std::uint32_t>* states() const noexcept { return indices_.states(); }

  // Address space of such a pool, and the most physical memory it can take.
  static std::size_t bytes(std::uint32_t record_bytes, std::uint32_t capacity) {
    return page_bytes(record_bytes, capacity) + IndexPool::bytes(capacity, kThreadCaches);
  }

 private:
  static std::size_t page_bytes(std::uint32_t record_bytes, std::uint32_t capacity) {
    constexpr std::size_t kPageBytes = 4096;
    return (std::size_t{record_bytes} * capacity + kPageBytes - 1) / kPageBytes * kPageBytes;
  }

  std::shared_ptr<Memory> memory_;
  std::uint32_t record_bytes_ = 0;
  std::atomic<std::uint32_t> holders_{0};
  // Closed before the memory that it lies in can go.
  IndexPool indices_;
};

}  // namespace millrace
