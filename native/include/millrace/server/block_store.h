#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "millrace/base/system_error.h"
#include "millrace/memory/slab_allocator.h"

namespace millrace {

// The server's memory: blocks of a slab, each with a reference count and a link. Counts and links
// lie outside the arena, which JavaScript can write to. Any thread allocates, references and
// releases. `next` belongs to whoever owns the chain. It owns the slab. A reference or a release is
// one atomic addition.
//
// `hold` keeps connections that do not finish (unfinished frames, output that a peer does not read)
// from taking the memory that everybody needs: held blocks may fill three quarters of the arena.
// The last sixteenth of that is for small ones, so that whoever takes the rest is refused first,
// and not a quiet client with the start of a frame.
class BlockStore {
 public:
  // Blocks are at least this large, so that offset / kUnit names each block's count.
  static constexpr std::uint32_t kUnit = 256;
  static constexpr std::uint32_t kSmallHold = 4096;

  BlockStore() = default;
  BlockStore(const BlockStore&) = delete;
  BlockStore& operator=(const BlockStore&) = delete;
  ~BlockStore() {
    if (meta_ != nullptr) ::munmap(meta_, meta_bytes(max_bytes_));
  }

  static SlabOptions slab_options(std::size_t max_bytes) {
    SlabOptions options;
    options.max_bytes = max_bytes;
    options.min_block_bytes = kUnit;
    return options;
  }
  static std::size_t meta_bytes(std::size_t max_bytes) { return max_bytes / kUnit * sizeof(Meta); }

  SystemError open(std::size_t max_bytes) {
    if (const SystemError error = slab_.open(slab_options(max_bytes))) return error;
    max_bytes_ = slab_.max_bytes();  // whole pages
    void* memory = ::mmap(nullptr, meta_bytes(max_bytes_), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    meta_ = static_cast<Meta*>(memory);
    return {};
  }

  // A block of at least `bytes` with one reference, or kNoBlock.
  std::uint32_t allocate(std::size_t bytes) {
    const std::uint32_t block = slab_.allocate(bytes);
    if (block == kNoBlock) {
      exhausted_.fetch_add(1, std::memory_order_relaxed);
      return kNoBlock;
    }
    meta(block).refs.store(1, std::memory_order_relaxed);
    meta(block).next = kNoBlock;
    return block;
  }

  // As allocate(), for what is read from peers: it leaves a sixteenth of the arena alone, so that
  // unhandled input may stop reading, but not take the memory that its own answers need.
  std::uint32_t allocate_input(std::size_t bytes) {
    if (slab_.free_pages() <= slab_.pages() / 16) {
      exhausted_.fetch_add(1, std::memory_order_relaxed);
      return kNoBlock;
    }
    return allocate(bytes);
  }

  void reference(std::uint32_t block, std::uint32_t count = 1) {
    meta(block).refs.fetch_add(count, std::memory_order_relaxed);
  }

  // Frees the block with the last reference. Pairs with itself: whoever frees has seen what the
  // others did with the block.
  void release(std::uint32_t block, std::uint32_t count = 1) {
    if (meta(block).refs.fetch_sub(count, std::memory_order_acq_rel) == count) slab_.free(block);
  }

  // True when the caller's reference is the only one (acquire: pairs with release()).
  bool unique(std::uint32_t block) const {
    return meta(block).refs.load(std::memory_order_acquire) == 1;
  }

  std::uint32_t next(std::uint32_t block) const { return meta(block).next; }
  void set_next(std::uint32_t block, std::uint32_t next) { meta(block).next = next; }

  // Charges what a connection keeps; false when the share is spent.
  bool hold(std::size_t bytes) {
    const std::size_t most = max_bytes_ / 4 * 3;
    const std::size_t limit = bytes <= kSmallHold ? most : most - most / 16;
    if (held_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit) return true;
    held_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  void unhold(std::size_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }

  // allocate + hold of the whole block.
  std::uint32_t allocate_held(std::size_t bytes) {
    const std::uint32_t block = allocate(bytes);
    if (block == kNoBlock) return kNoBlock;
    if (hold(slab_.block_bytes(block))) return block;
    release(block);
    return kNoBlock;
  }
  void release_held(std::uint32_t block) {
    unhold(slab_.block_bytes(block));
    release(block);
  }

  std::size_t block_bytes(std::uint32_t block) const { return slab_.block_bytes(block); }
  std::uint8_t* data(std::uint32_t offset = 0) {
    return reinterpret_cast<std::uint8_t*>(slab_.data(offset));
  }
  std::size_t max_bytes() const { return max_bytes_; }
  std::size_t held_bytes() const { return held_.load(std::memory_order_relaxed); }
  std::uint64_t exhausted() const { return exhausted_.load(std::memory_order_relaxed); }
  SlabAllocator& slab() { return slab_; }
  const SlabAllocator& slab() const { return slab_; }

 private:
  struct Meta {
    std::atomic<std::uint32_t> refs;
    std::uint32_t next;
  };
  Meta& meta(std::uint32_t block) { return meta_[block / kUnit]; }
  const Meta& meta(std::uint32_t block) const { return meta_[block / kUnit]; }

  SlabAllocator slab_;
  Meta* meta_ = nullptr;
  std::size_t max_bytes_ = 0;
  std::atomic<std::size_t> held_{0};
  std::atomic<std::uint64_t> exhausted_{0};
};

}  // namespace millrace
