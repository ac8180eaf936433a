#pragma once

#include <sys/mman.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "millrace/base/spin_lock.h"
#include "millrace/base/system_error.h"
#include "millrace/server/block_store.h"

namespace millrace {

// Which block waits for a connection under a key, for `conflate`: a hash table (linear probing,
// backward-shift deletion; Knuth, The Art of Computer Programming 3, 6.4, algorithm R), and for
// each block its key and the block before it in its chain. All of that lies outside the arena,
// which JavaScript can write to. A connection's blocks are for whoever owns its chain; the table
// under them has a lock, as the last unpin of a connection may be on any thread. It has as many
// places as the arena has blocks, of which three quarters may be held, so it is never full; memory
// is taken where it is touched. An operation costs two cache misses, however many messages wait.
class PublishedIndex {
 public:
  PublishedIndex() = default;
  PublishedIndex(const PublishedIndex&) = delete;
  PublishedIndex& operator=(const PublishedIndex&) = delete;
  ~PublishedIndex() {
    if (entries_ != nullptr) ::munmap(entries_, bytes(max_bytes_));
  }

  static std::size_t bytes(std::size_t max_bytes) {
    return units(max_bytes) * sizeof(Entry) + place_count(max_bytes) * sizeof(std::uint32_t);
  }

  // For the blocks of an arena of so many bytes.
  SystemError open(std::size_t max_bytes) {
    void* memory = ::mmap(nullptr, bytes(max_bytes), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    max_bytes_ = max_bytes;
    mask_ = place_count(max_bytes) - 1;
    entries_ = static_cast<Entry*>(memory);
    places_ = reinterpret_cast<std::uint32_t*>(entries_ + units(max_bytes));
    return {};
  }
  bool is_open() const { return entries_ != nullptr; }

  // kNoBlock: none.
  std::uint32_t find(std::uint32_t fd, std::uint64_t key) const {
    const std::lock_guard guard(lock_);
    const std::uint32_t unit = places_[place_of(fd, key)];
    return unit == 0 ? kNoBlock : (unit - 1) * BlockStore::kUnit;
  }

  // In the place of what was there under the key, if anything was.
  void put(std::uint32_t fd, std::uint64_t key, std::uint32_t block) {
    const std::lock_guard guard(lock_);
    const std::size_t place = place_of(fd, key);
    entry(block).key = key;
    entry(block).fd = fd;
    places_[place] = block / BlockStore::kUnit + 1;
  }

  // What put() said of the block; a block that was never put, or was replaced, is left alone.
  void erase(std::uint32_t block) {
    const std::lock_guard guard(lock_);
    std::size_t hole = place_of(entry(block).fd, entry(block).key);
    if (places_[hole] != block / BlockStore::kUnit + 1) return;
    for (std::size_t i = (hole + 1) & mask_; places_[i] != 0; i = (i + 1) & mask_) {
      // It stays if its home lies behind the hole, on the way round to where it is.
      if (((i - home_of(places_[i])) & mask_) < ((i - hole) & mask_)) continue;
      places_[hole] = places_[i];
      hole = i;
    }
    places_[hole] = 0;
  }

  std::uint32_t previous(std::uint32_t block) const {
    return entries_[block / BlockStore::kUnit].previous;
  }
  void set_previous(std::uint32_t block, std::uint32_t previous) {
    entry(block).previous = previous;
  }

 private:
  struct Entry {
    std::uint64_t key;
    std::uint32_t fd;
    std::uint32_t previous;
  };

  static std::size_t units(std::size_t max_bytes) { return max_bytes / BlockStore::kUnit; }
  static std::size_t place_count(std::size_t max_bytes) { return std::bit_ceil(units(max_bytes)); }

  Entry& entry(std::uint32_t block) { return entries_[block / BlockStore::kUnit]; }

  // The finalizer of MurmurHash3 (Austin Appleby, public domain).
  static std::uint64_t hash(std::uint32_t fd, std::uint64_t key) {
    std::uint64_t h = key ^ (fd * 0x9e3779b97f4a7c15ull);
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdull;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ull;
    return h ^ (h >> 33);
  }
  std::size_t home_of(std::uint32_t unit) const {
    const Entry& held = entries_[unit - 1];
    return hash(held.fd, held.key) & mask_;
  }

  // Where the key is, or an empty place where it would be.
  std::size_t place_of(std::uint32_t fd, std::uint64_t key) const {
    std::size_t i = hash(fd, key) & mask_;
    for (; places_[i] != 0; i = (i + 1) & mask_) {
      const Entry& held = entries_[places_[i] - 1];
      if (held.key == key && held.fd == fd) break;
    }
    return i;
  }

  mutable SpinLock lock_;
  std::size_t max_bytes_ = 0;
  std::size_t mask_ = 0;
  Entry* entries_ = nullptr;
  std::uint32_t* places_ = nullptr;  // 0: empty; else a block's unit, plus one
};

}  // namespace millrace
