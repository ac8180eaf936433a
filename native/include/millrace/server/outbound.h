#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "millrace/server/bridge_layout.h"
#include "millrace/server/pipeline_core.h"

namespace millrace {

// A JavaScript thread's way to the sender: the control words and the list that it writes operations
// into, and the outbox that takes them over. One thread. Owns its place in the outbox.
class Outbound {
 public:
  explicit Outbound(PipelineCore& core) : core_(core) {}
  Outbound(const Outbound&) = delete;
  Outbound& operator=(const Outbound&) = delete;
  ~Outbound() { close(); }

  // `control` and `list` stay the caller's. With `place` the outbox is kept there when this closes,
  // blocks and all, for the next who opens it: a successor must not fail for memory that only its
  // work would free. False: no outbox is free, or no memory for its blocks.
  bool open(std::uint32_t* control, OutboundOperation* list, Outbox** place = nullptr) {
    kept_ = place != nullptr;
    outbox_ = kept_ && *place != nullptr ? *place : core_.claim_outbox();
    if (kept_) *place = outbox_;
    if (outbox_ == nullptr) return false;
    control_ = control;
    list_ = list;
    control_[kControlOpCount] = 0;
    control_[kControlOutMark] = 0;
    take_block();
    return true;
  }

  bool is_open() const { return outbox_ != nullptr; }

  void close() {
    if (outbox_ == nullptr) return;
    if (!kept_) core_.give_back_outbox(*outbox_);
    outbox_ = nullptr;
  }

  // Hands the list over. Where the sender is behind, this thread waits for it: it never waits for
  // JavaScript itself. What stops the pipeline also ends the wait.
  void flush() {
    const std::uint32_t count = std::min(control_[kControlOpCount], kOperationListCapacity);
    control_[kControlOpCount] = 0;
    control_[kControlOutMark] = 0;
    control_[kControlOutMarkBytes] = 0;
    if (count == 0) return;
    const std::span<const OutboundOperation> list(list_, valid(count));
    while (!outbox_->push(core_.store, list)) {
      if (!wait([this, &list] { return Outbox::kRing - outbox_->depth() >= list.size(); })) return;
    }
    core_.sender_parker.unpark_published();
    if (control_[kControlOutUsed] > control_[kControlOutBlockBytes] / 2 ||
        core_.store.unique(control_[kControlOutBlock])) {
      take_block();
    }
  }

  void append(const OutboundOperation& operation) {
    if (control_[kControlOpCount] >= kOperationListCapacity) flush();
    list_[control_[kControlOpCount]++] = operation;
  }

  // Keeps the first `count` operations of the list, the last of them with `bytes` bytes.
  void cut(std::uint32_t count, std::uint32_t bytes) {
    control_[kControlOpCount] =
        std::min({count, control_[kControlOpCount], kOperationListCapacity});
    if (control_[kControlOpCount] == 0) return;
    OutboundOperation& last = list_[control_[kControlOpCount] - 1];
    last.length = std::min(last.length, bytes);
  }

  // An output block with all of its room. Called after flush().
  void take_block() {
    std::uint32_t block = outbox_->free_block(core_.store);
    while (block == kNoBlock) {
      if (!wait([this, &block] {
            block = outbox_->free_block(core_.store);
            return block != kNoBlock;
          })) {
        control_[kControlOutUsed] = 0;  // nobody sends it any more: no byte may pass its end
        return;
      }
    }
    control_[kControlOutBlock] = block;
    control_[kControlOutBlockBytes] = Outbox::kOutBlockBytes;
    control_[kControlOutUsed] = 0;
  }

 private:
  // Operations up to the first that points outside the arena; the list is JavaScript's to write.
  std::uint32_t valid(std::uint32_t count) const {
    const std::size_t limit = core_.store.max_bytes();
    for (std::uint32_t i = 0; i < count; ++i) {
      const OutboundOperation& o = list_[i];
      if (o.offset > limit || o.length > limit - o.offset) return i;
      if (o.block != kNoBlock && o.block >= limit) return i;
    }
    return count;
  }

  // False: the pipeline stops. Slices, so that nothing but this flag has to be seen.
  template <class Ready>
  bool wait(Ready ready) {
    core_.sender_parker.unpark();
    while (!core_.stopping.load(std::memory_order_seq_cst)) {
      if (outbox_->room().park(ready, 20'000'000)) return true;
    }
    return false;
  }

  PipelineCore& core_;
  Outbox* outbox_ = nullptr;
  bool kept_ = false;
  std::uint32_t* control_ = nullptr;
  OutboundOperation* list_ = nullptr;
};

}  // namespace millrace
