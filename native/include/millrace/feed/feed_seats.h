#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "millrace/feed/feed_consumer.h"
#include "millrace/feed/feed_queue.h"

namespace millrace {

// Who reads a feed. A seat is a place among its consumers and outlives who sits on it: a worker
// that dies leaves its seat, with the messages that wait there, to its replacement. Seats come in
// groups, which start and end together. Not thread-safe: the feed's lock guards it. Owns nothing.
//
// A group counts from the moment when each of its seats has been taken once. If one of the groups
// keeps keys to their consumers ("sticky"), each seat of every group has a shard of its own;
// otherwise all share one.
class FeedSeats {
 public:
  static constexpr std::uint32_t kMaxSeats = FeedQueue::kMaxShards;
  static constexpr std::uint32_t kNoTicket = 0xffffffffu;

  static constexpr std::uint32_t kNoGroup = 0;

  // Fills `tickets` with the tickets of a new group and answers its number; kNoGroup when there are
  // not so many seats.
  std::uint32_t open(bool sticky, std::span<std::uint32_t> tickets) {
    std::size_t found = 0;
    for (std::uint32_t index = 0; index < kMaxSeats && found < tickets.size(); ++index) {
      if (seats_[index].state == State::kFree) tickets[found++] = index;
    }
    if (found < tickets.size() || tickets.empty()) return kNoGroup;
    ++last_group_;
    for (std::uint32_t& ticket : tickets) {
      Seat& seat = seats_[ticket];
      seat.state = State::kPending;
      seat.sticky = sticky;
      seat.settled = 0;
      seat.group = last_group_;
      seat.generation = (seat.generation + 1) & kGenerationMask;
      ticket |= seat.generation << kIndexBits;
    }
    return last_group_;
  }

  bool exists(std::uint32_t ticket) const { return seat(ticket) != nullptr; }

  FeedConsumer* occupant(std::uint32_t ticket) const {
    const Seat* const found = seat(ticket);
    return found == nullptr ? nullptr : found->occupant;
  }

  // False when the seat is gone or taken. True in `starts` when this was the last seat its group
  // waited for: then the group counts from now on.
  bool occupy(std::uint32_t ticket, FeedConsumer& consumer, bool& starts) {
    starts = false;
    Seat* const taken = seat(ticket);
    if (taken == nullptr || taken->occupant != nullptr) return false;
    taken->occupant = &consumer;
    consumer.seat = ticket;
    if (taken->state == State::kActive) return true;
    const auto waits = [group = taken->group](const Seat& other) {
      return other.state == State::kPending && other.group == group && other.occupant == nullptr;
    };
    if (std::ranges::any_of(seats_, waits)) return true;
    for (Seat& other : seats_) {
      if (other.state == State::kPending && other.group == taken->group)
        other.state = State::kActive;
    }
    starts = true;
    return true;
  }

  // The consumer of a seat has finished a batch.
  void note_settled(const FeedConsumer& consumer) {
    if (Seat* const settled = seat(consumer.seat)) ++settled->settled;
  }

  // Batches that all consumers of a seat have finished; wraps.
  std::uint32_t settled(std::uint32_t ticket) const {
    const Seat* const found = seat(ticket);
    return found == nullptr ? 0 : found->settled;
  }

  void vacate(FeedConsumer& consumer) {
    if (Seat* const left = seat(consumer.seat); left != nullptr && left->occupant == &consumer) {
      left->occupant = nullptr;
    }
    consumer.seat = kNoTicket;
  }

  // Takes one seat away; who sits there stands up.
  void remove(std::uint32_t ticket) {
    Seat* const removed = seat(ticket);
    if (removed == nullptr) return;
    if (removed->occupant != nullptr) removed->occupant->seat = kNoTicket;
    removed->occupant = nullptr;
    removed->state = State::kFree;
  }

  // The tickets of a group's seats, as many as `out` holds; answers how many.
  std::uint32_t tickets(std::uint32_t group, std::span<std::uint32_t> out) const {
    std::uint32_t count = 0;
    for (std::uint32_t index = 0; index < kMaxSeats; ++index) {
      const Seat& seat = seats_[index];
      if (seat.state != State::kFree && seat.group == group && count < out.size()) {
        out[count++] = seat.generation << kIndexBits | index;
      }
    }
    return count;
  }

  // Numbers the seats that count; answers how many there are. To be called when groups start or
  // end.
  std::uint32_t renumber() {
    members_ = 0;
    sticky_ = false;
    for (std::uint32_t index = 0; index < kMaxSeats; ++index) {
      Seat& seat = seats_[index];
      if (seat.state != State::kActive) continue;
      seat.number = members_;
      order_[members_++] = index;
      sticky_ = sticky_ || seat.sticky;
    }
    return members_;
  }

  // Seats that count, as of renumber(), and whether each has a shard of its own.
  std::uint32_t members() const { return members_; }
  bool sticky() const { return sticky_; }
  // nullptr when nobody sits there.
  FeedConsumer* member(std::uint32_t number) const { return seats_[order_[number]].occupant; }

  // The shard that a consumer reads; false when its seat does not count (yet).
  bool shard(const FeedConsumer& consumer, std::uint32_t& out) const {
    const Seat* const found = seat(consumer.seat);
    if (found == nullptr || found->state != State::kActive) return false;
    out = sticky_ ? found->number : 0;
    return true;
  }

 private:
  static constexpr std::uint32_t kIndexBits = 8;
  static constexpr std::uint32_t kGenerationMask = 0x7fffffu;  // so that no ticket is kNoTicket
  static_assert(kMaxSeats == 1u << kIndexBits);

  enum class State : std::uint8_t { kFree, kPending, kActive };

  struct Seat {
    State state = State::kFree;
    bool sticky = false;
    std::uint32_t group = 0;
    std::uint32_t generation = 0;
    std::uint32_t number = 0;
    std::uint32_t settled = 0;
    FeedConsumer* occupant = nullptr;
  };

  const Seat* seat(std::uint32_t ticket) const {
    const Seat& found = seats_[ticket % kMaxSeats];
    const bool live = found.state != State::kFree && found.generation == ticket >> kIndexBits;
    return live ? &found : nullptr;
  }
  Seat* seat(std::uint32_t ticket) {
    return const_cast<Seat*>(static_cast<const FeedSeats*>(this)->seat(ticket));
  }

  std::array<Seat, kMaxSeats> seats_{};
  std::array<std::uint32_t, kMaxSeats> order_{};
  std::uint32_t members_ = 0;
  std::uint32_t last_group_ = 0;
  bool sticky_ = false;
};

}  // namespace millrace
