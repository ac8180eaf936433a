#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "millrace/server/block_store.h"
#include "millrace/server/connection.h"
#include "millrace/server/pipeline_options.h"

namespace millrace {

// Published messages that wait for a subscriber slower than they are: a chain of blocks for each
// such connection, bounded together with its backlog by max_write_bytes. Past that the oldest go.
// With `conflate` a message takes the place of the one of the same key, so that memory is O(keys)
// and a slow subscriber gets fresh values; one of no key (kNoKey) replaces nothing and is never
// replaced, and past the bound a message is refused: no message goes but for a newer of its key.
// Every message that goes is counted.
//
//   block:  0 payload bytes   4 key, low half   8 key, high half   12 unused   16 payload
//
// The sender's thread. Owns no memory of its own. push() with `conflate` looks through the chain,
// but not for a message of no key.
class PublishedQueue {
 public:
  static constexpr std::uint64_t kNoKey = ~std::uint64_t{0};

  enum class PushResult : std::uint8_t { kDone, kTooSlow, kNoMemory };

  PublishedQueue(const PipelineOptions& options, PublishedFigures& figures, BlockStore& store)
      : options_(options), figures_(figures), store_(store) {}

  // kDone: the message waits, or was dropped by `drop-oldest` for lack of memory. Else, with
  // `conflate` alone, it was refused and is counted; the subscriber would miss it.
  PushResult push(Connection& c, const std::uint8_t* payload, std::uint32_t size,
                  std::uint64_t key) {
    const bool conflates = options_.slow_consumer == SlowConsumer::kConflate;
    std::uint32_t previous = kNoBlock;
    const std::uint32_t same = conflates && key != kNoKey ? find(c, key, previous) : kNoBlock;
    const std::uint32_t block = store_.allocate_held(kHeader + size);
    if (block == kNoBlock) {
      figures_.offer(PublishedFigures::kMemory);
      return conflates ? PushResult::kNoMemory : PushResult::kDone;
    }
    if (conflates && !fits(c, block, same)) {
      store_.release_held(block);
      figures_.offer(PublishedFigures::kSlow);
      return PushResult::kTooSlow;
    }
    const std::uint32_t header[4] = {size, static_cast<std::uint32_t>(key),
                                     static_cast<std::uint32_t>(key >> 32), 0};
    std::memcpy(store_.data(block), header, kHeader);
    std::memcpy(store_.data(block) + kHeader, payload, size);
    charge(c, block);
    figures_.offer(PublishedFigures::kWaiting);
    if (same != kNoBlock) {
      replace(c, previous, same, block);
      figures_.settle(PublishedFigures::kConflated);
    } else {
      if (c.send.published_tail == kNoBlock) {
        c.send.published_head = block;
      } else {
        store_.set_next(c.send.published_tail, block);
      }
      c.send.published_tail = block;
    }
    while (options_.max_write_bytes != 0 && c.send.published_head != kNoBlock &&
           c.backlog_bytes.load(std::memory_order_relaxed) + c.send.published_bytes >
               options_.max_write_bytes) {
      remove_front(c);
      figures_.settle(PublishedFigures::kOldest);
    }
    return PushResult::kDone;
  }

  std::uint32_t front(const Connection& c) const { return c.send.published_head; }
  const std::uint8_t* bytes(std::uint32_t block) { return store_.data(block) + kHeader; }
  std::uint32_t size(std::uint32_t block) {
    std::uint32_t size;
    std::memcpy(&size, store_.data(block), sizeof size);
    return std::min(size, static_cast<std::uint32_t>(store_.block_bytes(block)) - kHeader);
  }

  // The front has been handed on, or could not be (`lost`).
  void pop(Connection& c, bool lost) {
    remove_front(c);
    figures_.settle(lost ? PublishedFigures::kMemory : PublishedFigures::kDelivered);
  }

  void drop(Connection& c) {
    while (c.send.published_head != kNoBlock) {
      remove_front(c);
      figures_.settle(PublishedFigures::kClosed);
    }
  }

 private:
  static constexpr std::uint32_t kHeader = 16;

  // Whether `block` stays within the bound in the place of `same`, or behind the last.
  bool fits(const Connection& c, std::uint32_t block, std::uint32_t same) {
    const std::size_t freed = same == kNoBlock ? 0 : store_.block_bytes(same);
    const std::size_t waiting = std::size_t{c.backlog_bytes.load(std::memory_order_relaxed)} +
                                c.send.published_bytes + store_.block_bytes(block) - freed;
    return options_.max_write_bytes == 0 || waiting <= options_.max_write_bytes;
  }

  std::uint32_t find(const Connection& c, std::uint64_t key, std::uint32_t& previous) {
    std::uint32_t before = kNoBlock;
    for (std::uint32_t b = c.send.published_head; b != kNoBlock; b = store_.next(b)) {
      std::uint64_t found;
      std::memcpy(&found, store_.data(b) + 4, sizeof found);
      if (found == key) {
        previous = before;
        return b;
      }
      before = b;
    }
    return kNoBlock;
  }

  void replace(Connection& c, std::uint32_t previous, std::uint32_t old, std::uint32_t block) {
    store_.set_next(block, store_.next(old));
    if (previous == kNoBlock) {
      c.send.published_head = block;
    } else {
      store_.set_next(previous, block);
    }
    if (c.send.published_tail == old) c.send.published_tail = block;
    discharge(c, old);
  }

  void remove_front(Connection& c) {
    const std::uint32_t block = c.send.published_head;
    c.send.published_head = store_.next(block);
    if (c.send.published_head == kNoBlock) c.send.published_tail = kNoBlock;
    discharge(c, block);
  }

  void charge(Connection& c, std::uint32_t block) {
    c.send.published_bytes += static_cast<std::uint32_t>(store_.block_bytes(block));
  }
  void discharge(Connection& c, std::uint32_t block) {
    c.send.published_bytes -= static_cast<std::uint32_t>(store_.block_bytes(block));
    store_.release_held(block);
  }

  const PipelineOptions& options_;
  PublishedFigures& figures_;
  BlockStore& store_;
};

}  // namespace millrace
