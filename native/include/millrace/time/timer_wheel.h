#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <span>

#include "millrace/time/timer_node.h"

namespace millrace {

// Timers by the hundred thousand, for one owner: not thread-safe, its owner locks. Owns its nodes
// (bytes()), allocated at construction and never again; memory of timers that were never used stays
// untouched. schedule, cancel and reschedule take constant time; advance() takes a step for each
// occupied slot it passes (empty ones cost nothing, however far the clock jumps) and at most
// kLevels steps for each timer over its life.
//
// A hierarchical wheel: ten levels of 64 slots cover all 58 bits of ticks, so no delay is too long.
// A timer stands on the level of the highest 6-bit digit in which its tick differs from the current
// one, as in tokio's wheel. So slots never wrap: on each level, all occupied slots lie ahead of the
// clock, and everything on a lower level comes before everything on a higher one. An occupancy
// bitmap for each level makes finding the next slot two bit scans.
//
// A timer never fires early, and up to one tick late, plus however late advance() is called. One
// whose time has passed fires a tick after the last advance. From tick 2^58 - 1 on is never.
class TimerWheel {
 public:
  // Generation (21 bits) << 32 | index: below 2^53, so that JavaScript can hold it. Stale handles
  // are told apart until one index has been used two million times.
  using Handle = std::uint64_t;
  static constexpr Handle kNoTimer = 0;
  static constexpr std::uint32_t kMaxCapacity = 0xffff'0000u;

  // `capacity` is the number of timers that can be live at once. `now_ms` sets the clock; all times
  // are milliseconds of that clock. tick_ms is at least 1. If the memory cannot be had, capacity()
  // is 0.
  TimerWheel(std::uint32_t capacity, std::uint32_t tick_ms, std::uint64_t now_ms)
      : tick_ms_(tick_ms == 0 ? 1 : tick_ms), now_(last_tick(now_ms)) {
    if (capacity > kMaxCapacity) capacity = kMaxCapacity;
    nodes_ = static_cast<TimerNode*>(std::calloc(1, bytes(capacity)));
    if (nodes_ == nullptr) return;
    capacity_ = capacity;
    for (std::uint32_t i = 0; i < kHeads; ++i) nodes_[i].next = nodes_[i].previous = i;
  }
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel() { std::free(nodes_); }

  // `id` comes back when the time has come. kNoTimer when size() == capacity().
  Handle schedule(std::uint64_t expiry_ms, std::uint32_t id) noexcept {
    const std::uint32_t index = take_node();
    if (index == kNone) return kNoTimer;
    ++size_;
    TimerNode& node = nodes_[index];
    node.start();
    node.set_tick(tick_of(expiry_ms));
    node.id = id;
    link(index);
    return Handle{node.generation()} << 32 | index;
  }

  // False if the timer has fired or was cancelled.
  bool cancel(Handle handle) noexcept {
    if (!is_live(handle)) return false;
    remove(static_cast<std::uint32_t>(handle));
    return true;
  }

  // Sets a new time; the handle stays valid. To put a timer off writes only its node: it is moved
  // when its old time comes. False as with cancel().
  bool reschedule(Handle handle, std::uint64_t expiry_ms) noexcept {
    if (!is_live(handle)) return false;
    const auto index = static_cast<std::uint32_t>(handle);
    TimerNode& node = nodes_[index];
    const std::uint64_t tick = tick_of(expiry_ms);
    const bool put_off = tick >= node.tick();
    node.set_tick(tick);
    if (!put_off) {
      unlink(index);
      link(index);
    }
    return true;
  }

  // Sets the clock to now_ms and calls on_expired(id) for each timer whose time has come, in the
  // order of their ticks. Returns how many. The timer is gone when its callback runs, so scheduling
  // a successor there cannot fail; callbacks may schedule, reschedule and cancel, also timers that
  // were about to fire in this call. What they schedule fires in a later call, whatever its time. A
  // clock that goes back, and a call from a callback, do nothing.
  template <class F>
  std::uint32_t advance(std::uint64_t now_ms, F&& on_expired) {
    const std::uint64_t target = last_tick(now_ms);
    if (target <= now_ || advancing_) return 0;
    advancing_ = true;
    earliest_ = target + 1;
    std::uint32_t fired = 0;
    while (levels_ != 0) {
      std::uint32_t head;
      const std::uint64_t tick = next_slot(head);
      if (tick > target) break;
      now_ = tick;
      move_all(head, kDue);
      while (nodes_[kDue].next != kDue) {
        const std::uint32_t index = nodes_[kDue].next;
        TimerNode& node = nodes_[index];
        __builtin_prefetch(&nodes_[node.next]);
        remove_from_list(node);
        if (node.tick() > tick) {
          link(index);
          continue;
        }
        const std::uint32_t id = node.id;
        free_node(index);
        ++fired;
        on_expired(id);
      }
    }
    now_ = target;
    advancing_ = false;
    return fired;
  }

  // When advance() should be called next: never after the next timer, and before it only where that
  // moves timers to a lower level (at most kLevels - 1 times for each). UINT64_MAX: no timers.
  std::uint64_t next_expiry_ms() const noexcept {
    if (levels_ == 0) return kNever;
    std::uint32_t head;
    return ms_of(next_slot(head));
  }

  // When the next timer fires, exactly. UINT64_MAX: no timers. Looks at the timers of one slot, and
  // at those of later ones only as far as timers there were put off.
  std::uint64_t earliest_ms() const noexcept {
    std::uint64_t earliest = kNever;
    for (std::uint32_t levels = levels_; levels != 0; levels &= levels - 1) {
      const auto level = static_cast<std::uint32_t>(std::countr_zero(levels));
      for (std::uint64_t slots = occupied_[level]; slots != 0; slots &= slots - 1) {
        const auto slot = static_cast<std::uint32_t>(std::countr_zero(slots));
        if (earliest <= begin_of(level, slot)) return ms_of(earliest);
        const std::uint32_t head = level * kSlots + slot;
        for (std::uint32_t i = nodes_[head].next; i != head; i = nodes_[i].next) {
          earliest = nodes_[i].tick() < earliest ? nodes_[i].tick() : earliest;
        }
      }
    }
    return levels_ == 0 ? kNever : ms_of(earliest);
  }

  // For an owner that ends timers by the flag in their nodes, not while advancing: before anything
  // else it calls remove_ended(), with the index of each of them once.
  std::span<TimerNode> nodes() noexcept { return {nodes_, kHeads + std::size_t{capacity_}}; }

  void remove_ended(std::span<const std::uint32_t> indices) noexcept {
    for (const std::uint32_t index : indices) {
      __builtin_prefetch(&nodes_[nodes_[index].next]);
      __builtin_prefetch(&nodes_[nodes_[index].previous]);
    }
    for (const std::uint32_t index : indices) remove(index);
  }

  // Live timers, exactly.
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t capacity() const noexcept { return capacity_; }

  // What a wheel of this capacity allocates, beside sizeof(TimerWheel).
  static constexpr std::size_t bytes(std::uint32_t capacity) noexcept {
    return (std::size_t{kHeads} + capacity) * sizeof(TimerNode);
  }

 private:
  static constexpr std::uint32_t kDigitBits = 6;
  static constexpr std::uint32_t kSlots = 1u << kDigitBits;
  static constexpr std::uint32_t kLevels = (58 + kDigitBits - 1) / kDigitBits;
  // The first nodes are the heads of the circular lists: one for each slot, and the list of the
  // slot that advance() is working on.
  static constexpr std::uint32_t kDue = kLevels * kSlots;
  static constexpr std::uint32_t kHeads = kDue + 1;
  static constexpr std::uint32_t kNone = 0xffff'ffffu;
  static constexpr std::uint64_t kLastTick = TimerNode::kLastTick;
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  // Rounded up: never early.
  std::uint64_t tick_of(std::uint64_t expiry_ms) const noexcept {
    const std::uint64_t tick =
        tick_ms_ == 1 ? expiry_ms : expiry_ms / tick_ms_ + (expiry_ms % tick_ms_ != 0);
    const std::uint64_t earliest = advancing_ ? earliest_ : now_ + 1;
    return tick < earliest ? earliest : tick < kLastTick ? tick : kLastTick;
  }

  // Rounded down, and short of the last tick: so there is always a later one to schedule at.
  std::uint64_t last_tick(std::uint64_t now_ms) const noexcept {
    const std::uint64_t tick = tick_ms_ == 1 ? now_ms : now_ms / tick_ms_;
    return tick < kLastTick ? tick : kLastTick - 1;
  }

  std::uint64_t ms_of(std::uint64_t tick) const noexcept {
    const std::uint64_t latest = (kNever - 1) / tick_ms_;
    return tick <= latest ? tick * tick_ms_ : kNever - 1;
  }

  bool is_live(Handle handle) const noexcept {
    const auto index = static_cast<std::uint32_t>(handle);
    return index < kHeads + std::size_t{capacity_} && nodes_[index].is_live(handle >> 32);
  }

  std::uint32_t take_node() noexcept {
    if (free_ != kNone) {
      const std::uint32_t index = free_;
      free_ = nodes_[index].next;
      return index;
    }
    return used_ == capacity_ ? kNone : kHeads + used_++;
  }

  void free_node(std::uint32_t index) noexcept {
    nodes_[index].end();
    nodes_[index].next = free_;
    free_ = index;
    --size_;
  }

  // REQUIRES: its tick lies ahead of now_.
  void link(std::uint32_t index) noexcept {
    TimerNode& node = nodes_[index];
    const std::uint64_t tick = node.tick();
    const auto highest = static_cast<std::uint32_t>(std::bit_width(tick ^ now_)) - 1;
    const std::uint32_t level = highest / kDigitBits;
    const std::uint32_t slot = (tick >> (level * kDigitBits)) & (kSlots - 1);
    const std::uint32_t head = level * kSlots + slot;
    occupied_[level] |= std::uint64_t{1} << slot;
    levels_ |= 1u << level;
    node.next = head;
    node.previous = nodes_[head].previous;
    nodes_[node.previous].next = nodes_[head].previous = index;
  }

  void remove_from_list(const TimerNode& node) noexcept {
    nodes_[node.previous].next = node.next;
    nodes_[node.next].previous = node.previous;
  }

  void remove(std::uint32_t index) noexcept {
    unlink(index);
    free_node(index);
  }

  void unlink(std::uint32_t index) noexcept {
    const TimerNode& node = nodes_[index];
    remove_from_list(node);
    // Both neighbours are the head: it was the last one.
    if (node.next == node.previous && node.next < kDue) mark_empty(node.next);
  }

  void mark_empty(std::uint32_t head) noexcept {
    const std::uint32_t level = head / kSlots;
    occupied_[level] &= ~(std::uint64_t{1} << (head % kSlots));
    if (occupied_[level] == 0) levels_ &= ~(1u << level);
  }

  // REQUIRES: `from` is not empty, `to` is.
  void move_all(std::uint32_t from, std::uint32_t to) noexcept {
    nodes_[to].next = nodes_[from].next;
    nodes_[to].previous = nodes_[from].previous;
    nodes_[nodes_[to].next].previous = nodes_[nodes_[to].previous].next = to;
    nodes_[from].next = nodes_[from].previous = from;
    mark_empty(from);
  }

  // The first occupied slot, and the tick at which it begins. REQUIRES: levels_ != 0.
  std::uint64_t next_slot(std::uint32_t& head) const noexcept {
    const auto level = static_cast<std::uint32_t>(std::countr_zero(levels_));
    const auto slot = static_cast<std::uint32_t>(std::countr_zero(occupied_[level]));
    head = level * kSlots + slot;
    return begin_of(level, slot);
  }

  // The tick at which an occupied slot begins.
  std::uint64_t begin_of(std::uint32_t level, std::uint32_t slot) const noexcept {
    const std::uint32_t shift = level * kDigitBits;
    const std::uint64_t above = ~std::uint64_t{0} << (shift + kDigitBits);
    return (now_ & above) | std::uint64_t{slot} << shift;
  }

  TimerNode* nodes_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t tick_ms_;
  std::uint64_t now_;           // in ticks; every occupied slot begins after it
  std::uint64_t earliest_ = 0;  // while advancing: the first tick after this call
  std::uint32_t size_ = 0;
  std::uint32_t used_ = 0;  // nodes that have ever been taken
  std::uint32_t free_ = kNone;
  std::uint32_t levels_ = 0;  // bit i: level i has an occupied slot
  bool advancing_ = false;
  std::array<std::uint64_t, kLevels> occupied_{};
};

}  // namespace millrace
