#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "millrace/server/block_store.h"
#include "millrace/server/connection.h"
#include "millrace/server/pipeline_options.h"
#include "millrace/server/published_index.h"

namespace millrace {

// Published messages that wait for a subscriber slower than they are: a chain of blocks for each
// such connection, bounded together with its backlog by max_write_bytes. Past that the oldest go.
// With `conflate` a message takes the place of the one of the same key, so that memory is O(keys)
// and a slow subscriber gets fresh values; one of no key (kNoKey) replaces nothing and is never
// replaced, and past the bound a message is refused: no message goes but for a newer of its key.
// Every message that goes is counted.
//
//   block:  0 payload bytes   4 unused   16 payload
//
// The sender's thread, but for drop(). Owns, with `conflate` alone, the index of keys; a push costs
// the same however many messages wait.
class PublishedQueue {
 public:
  static constexpr std::uint64_t kNoKey = ~std::uint64_t{0};

  enum class PushResult : std::uint8_t { kDone, kTooSlow, kNoMemory };

  PublishedQueue(const PipelineOptions& options, PublishedFigures& figures, BlockStore& store)
      : options_(options), figures_(figures), store_(store) {}

  // What push() needs beside the arena's blocks.
  static std::size_t bytes(const PipelineOptions& options) {
    return options.slow_consumer == SlowConsumer::kConflate
               ? PublishedIndex::bytes(options.max_bytes)
               : 0;
  }
  // Once the store is open.
  SystemError open() {
    if (options_.slow_consumer != SlowConsumer::kConflate) return {};
    return index_.open(store_.max_bytes());
  }

  // kDone: the message waits, or was dropped by `drop-oldest` for lack of memory. Else, with
  // `conflate` alone, it was refused and is counted; the subscriber would miss it.
  PushResult push(Connection& c, const std::uint8_t* payload, std::uint32_t size,
                  std::uint64_t key) {
    const bool conflates = index_.is_open();
    const std::uint32_t same = conflates && key != kNoKey ? index_.find(c.key.fd, key) : kNoBlock;
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
    std::memcpy(store_.data(block), &size, sizeof size);
    std::memcpy(store_.data(block) + kHeader, payload, size);
    charge(c, block);
    figures_.offer(PublishedFigures::kWaiting);
    if (conflates && key != kNoKey) index_.put(c.key.fd, key, block);
    if (same != kNoBlock) {
      replace(c, same, block);
      figures_.settle(PublishedFigures::kConflated);
    } else {
      append(c, block);
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

  void append(Connection& c, std::uint32_t block) {
    const std::uint32_t tail = c.send.published_tail;
    link(c, tail, block);
    c.send.published_tail = block;
  }

  void replace(Connection& c, std::uint32_t old, std::uint32_t block) {
    link(c, index_.previous(old), block);
    const std::uint32_t next = store_.next(old);
    store_.set_next(block, next);
    if (next == kNoBlock) {
      c.send.published_tail = block;
    } else {
      index_.set_previous(next, block);
    }
    discharge(c, old);
  }

  // `block` follows `previous`, or is the first.
  void link(Connection& c, std::uint32_t previous, std::uint32_t block) {
    if (previous == kNoBlock) {
      c.send.published_head = block;
    } else {
      store_.set_next(previous, block);
    }
    if (index_.is_open()) index_.set_previous(block, previous);
  }

  void remove_front(Connection& c) {
    const std::uint32_t block = c.send.published_head;
    const std::uint32_t next = store_.next(block);
    c.send.published_head = next;
    if (next == kNoBlock) c.send.published_tail = kNoBlock;
    if (index_.is_open()) {
      if (next != kNoBlock) index_.set_previous(next, kNoBlock);
      index_.erase(block);
    }
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
  PublishedIndex index_;
};

}  // namespace millrace
