#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "millrace/base/parker.h"
#include "millrace/concurrent/spsc_cursor.h"
#include "millrace/server/block_store.h"
#include "millrace/server/bridge_layout.h"

namespace millrace {

// One producer's ring of operations for the sender, and the blocks that it writes output into. The
// producer is a JavaScript thread: a worker, the thread that made the server, a publisher.
// One thread at a time produces; the sender consumes. Owns its blocks. A hand-over is one copy of
// 32 bytes an operation, one atomic addition a run of operations in one block, one wake-up.
class Outbox {
 public:
  static constexpr std::uint32_t kRing = 2 * kOperationListCapacity;
  static constexpr std::uint32_t kOutBlockBytes = 64 * 1024;
  static constexpr std::uint32_t kOutBlocks = 4;

  Outbox() : cursor_(kRing), ring_(new OutboundOperation[kRing]) {}
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  static constexpr std::size_t bytes() { return kRing * sizeof(OutboundOperation); }
  static constexpr std::size_t arena_bytes() { return kOutBlocks * kOutBlockBytes; }

  // False when the arena has no room for the blocks.
  bool open(BlockStore& store) {
    for (std::uint32_t& block : blocks_) {
      if (block != kNoBlock) continue;
      block = store.allocate(kOutBlockBytes);
      if (block == kNoBlock) return false;
    }
    return true;
  }

  void close(BlockStore& store) {
    for (std::uint32_t& block : blocks_) {
      if (block != kNoBlock) store.release(block);
      block = kNoBlock;
    }
  }

  // Producer. Hands the whole list over, or nothing of it (false: the sender is behind, wait).
  bool push(BlockStore& store, std::span<const OutboundOperation> list) {
    if (cursor_.writable(static_cast<std::uint32_t>(list.size())) < list.size()) return false;
    const std::uint64_t position = cursor_.write_position();
    std::uint32_t run_block = kNoBlock;
    std::uint32_t run = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const OutboundOperation& operation = list[i];
      ring_[(position + i) & cursor_.mask()] = operation;
      if (operation.block != run_block) {
        if (run != 0 && run_block != kNoBlock) store.reference(run_block, run);
        run_block = operation.block;
        run = 0;
      }
      ++run;
    }
    if (run != 0 && run_block != kNoBlock) store.reference(run_block, run);
    cursor_.publish(static_cast<std::uint32_t>(list.size()));
    high_water_.store(std::max(high_water_.load(std::memory_order_relaxed), cursor_.depth()),
                      std::memory_order_relaxed);
    return true;
  }

  // Producer. An output block that the sender is done with; kNoBlock: none is free, wait. The one
  // in use comes first: it is in the cache.
  std::uint32_t free_block(const BlockStore& store) {
    for (std::uint32_t i = 0; i < kOutBlocks; ++i) {
      const std::uint32_t index = (current_ + i) % kOutBlocks;
      if (!store.unique(blocks_[index])) continue;
      current_ = index;
      return blocks_[index];
    }
    return kNoBlock;
  }

  // Sender.
  std::uint32_t readable() { return cursor_.readable(kRing); }
  const OutboundOperation& at(std::uint32_t i) const {
    return ring_[(cursor_.read_position() + i) & cursor_.mask()];
  }
  // seq_cst (SpscCursor): pairs with a producer that waits for room in the ring.
  void release(std::uint32_t count) { cursor_.release(count); }

  // Where a producer waits for the sender (a full ring, no free block).
  Parker& room() { return room_; }

  std::atomic<bool> used{false};  // claimed by a producer

  std::uint32_t depth() const { return cursor_.depth(); }
  std::uint32_t high_water() const { return high_water_.load(std::memory_order_relaxed); }
  std::uint64_t passed() const { return cursor_.released(); }

 private:
  SpscCursor cursor_;
  std::unique_ptr<OutboundOperation[]> ring_;
  std::uint32_t blocks_[kOutBlocks] = {kNoBlock, kNoBlock, kNoBlock, kNoBlock};
  std::uint32_t current_ = 0;
  std::atomic<std::uint32_t> high_water_{0};
  Parker room_;
};

}  // namespace millrace
