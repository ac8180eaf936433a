#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "millrace/base/cache_line.h"
#include "millrace/base/system_error.h"
#include "millrace/feed/feed_options.h"

namespace millrace {

inline constexpr std::uint32_t kNoEntry = 0xffffffffu;

// One message that waits or is leased: where its bytes lie and where it stands. A cache line.
struct alignas(kCacheLineBytes) FeedEntry {
  FeedKey key;
  std::uint64_t sequence;    // place in the order of arrival
  std::int64_t received_ns;  // since the feed was made
  std::uint32_t block;       // kNoBlock when the message is empty
  std::uint32_t length;
  std::uint32_t previous;  // neighbours in its shard
  std::uint32_t next;      // also: the next free entry
  std::uint32_t chain;     // next entry in its bucket of the key index
};
static_assert(sizeof(FeedEntry) == kCacheLineBytes);

// Entries by index. Not thread-safe: the feed's lock guards it.
// Owns a reservation of address space for `limit` entries, of which only those pages take memory
// that were in use at one time: the entry freed last is handed out first.
class FeedEntryPool {
 public:
  FeedEntryPool() = default;
  FeedEntryPool(const FeedEntryPool&) = delete;
  FeedEntryPool& operator=(const FeedEntryPool&) = delete;
  ~FeedEntryPool() {
    if (entries_ != nullptr) ::munmap(entries_, bytes(limit_));
  }

  static constexpr std::size_t bytes(std::uint32_t entries) {
    return std::size_t{entries} * sizeof(FeedEntry);
  }

  SystemError open(std::uint32_t limit) {
    void* const memory = ::mmap(nullptr, bytes(limit), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    entries_ = static_cast<FeedEntry*>(memory);
    limit_ = limit;
    return {};
  }

  // kNoEntry when all are taken.
  std::uint32_t acquire() {
    if (free_ == kNoEntry) return fresh_ == limit_ ? kNoEntry : fresh_++;
    const std::uint32_t entry = free_;
    free_ = entries_[entry].next;
    return entry;
  }

  void release(std::uint32_t entry) {
    entries_[entry].next = free_;
    free_ = entry;
  }

  FeedEntry& at(std::uint32_t entry) { return entries_[entry]; }
  const FeedEntry& at(std::uint32_t entry) const { return entries_[entry]; }

 private:
  FeedEntry* entries_ = nullptr;
  std::uint32_t limit_ = 0;
  std::uint32_t fresh_ = 0;  // entries from here on were never used
  std::uint32_t free_ = kNoEntry;
};

}  // namespace millrace
