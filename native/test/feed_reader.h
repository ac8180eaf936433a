#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "millrace/base/parker.h"
#include "millrace/feed/feed.h"

namespace millrace {

// A consumer without Node: its bell unparks a thread, and its batch is read as JavaScript reads it.
class FeedReader {
 public:
  explicit FeedReader(std::uint64_t thread = 1)
      : bell_(std::make_shared<Doorbell>(&FeedReader::ring, this)), consumer_(bell_, thread) {}
  ~FeedReader() { bell_->detach(); }

  FeedConsumer& consumer() { return consumer_; }
  const std::shared_ptr<Doorbell>& bell() const { return bell_; }

  // Waits to be rung.
  void wait() {
    parker_.park([this] { return rung_.load(std::memory_order_seq_cst); });
    rung_.exchange(false, std::memory_order_seq_cst);
  }
  bool rung() { return rung_.exchange(false, std::memory_order_seq_cst); }

  // As Feed::next(), but its event loop turns whenever it is asked to.
  std::int32_t next(Feed& feed, BatchOutcome outcome = BatchOutcome::kNone) {
    std::int32_t count = feed.next(consumer_, outcome, true);
    while (count == Feed::kYield) {
      feed.answer(consumer_, true);
      count = feed.next(consumer_, BatchOutcome::kNone, true);
    }
    return count;
  }

  // The same, but sleeps until there is something: never kIdle.
  std::int32_t next_or_wait(Feed& feed, BatchOutcome outcome) {
    for (;;) {
      const std::int32_t count = next(feed, outcome);
      if (count != Feed::kIdle) return count;
      outcome = BatchOutcome::kNone;
      wait();
      feed.answer(consumer_, true);
    }
  }

  std::uint32_t offset(std::uint32_t row) { return read<std::uint32_t>(row, 0); }
  std::uint32_t length(std::uint32_t row) { return read<std::uint32_t>(row, 4); }
  std::uint64_t key_low(std::uint32_t row) { return read<std::uint64_t>(row, 8); }
  double received_ns(std::uint32_t row) { return read<double>(row, 24); }
  std::string bytes(Feed& feed, std::uint32_t row) {
    return {reinterpret_cast<const char*>(feed.arena()) + offset(row), length(row)};
  }
  void start(std::uint32_t rows) { consumer_.table.set_started(rows); }

 private:
  static void ring(void* self) {
    auto* const reader = static_cast<FeedReader*>(self);
    reader->rung_.exchange(true, std::memory_order_seq_cst);
    reader->parker_.unpark();
  }

  template <class T>
  T read(std::uint32_t row, std::size_t at) {
    T value;
    std::memcpy(
        &value,
        consumer_.table.data() + LeaseTable::kHeaderBytes + row * LeaseTable::kRowBytes + at,
        sizeof(T));
    return value;
  }

  Parker parker_;
  std::atomic<bool> rung_{false};
  std::shared_ptr<Doorbell> bell_;
  FeedConsumer consumer_;
};

inline FeedKey number_key(std::uint64_t value) { return {value, 0}; }

inline FeedKey text_key(const std::string& text) {
  FeedKey key;
  std::memcpy(&key, text.data(), std::min<std::size_t>(text.size(), sizeof(key)));
  return key;
}

inline FeedOptions feed_options(FeedOverflow overflow, std::uint32_t capacity,
                                FeedKeyKind key = FeedKeyKind::kU64) {
  FeedOptions options;
  options.capacity = capacity;
  options.max_message_bytes = 512;
  options.max_bytes = std::size_t{4} << 20;
  options.max_keys = capacity;
  options.sample_every = 4;
  options.key = key;
  options.overflow = overflow;
  return options;
}

inline PushResult push_text(Feed& feed, const std::string& text, const FeedKey& key = {}) {
  return feed.push(text.data(), static_cast<std::uint32_t>(text.size()), key);
}

// Seats one reader in a group of its own.
struct Seated {
  std::uint32_t group = FeedSeats::kNoGroup;
  std::uint32_t ticket = FeedSeats::kNoTicket;
};
inline Seated seat_reader(Feed& feed, FeedReader& reader, bool sticky = false) {
  Seated seated;
  seated.group = feed.open_group(sticky, std::span(&seated.ticket, 1));
  if (seated.group == FeedSeats::kNoGroup || !feed.occupy(seated.ticket, reader.consumer()))
    return {};
  return seated;
}

}  // namespace millrace
