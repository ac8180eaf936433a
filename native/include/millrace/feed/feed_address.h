#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "millrace/base/clock.h"
#include "millrace/feed.h"
#include "millrace/feed/feed.h"

namespace millrace {

// What the address of a feed points to (millrace/feed.h): the table of functions, and a share in
// the feed. Any thread. Lives until as many release() as make() and retain() were called.
class FeedAddress {
 public:
  static FeedAddress* make(std::shared_ptr<Feed> feed) { return new FeedAddress(std::move(feed)); }

  std::uint64_t value() const { return reinterpret_cast<std::uintptr_t>(&face_); }

  void release() {
    // Acq_rel: pairs with itself, so that who deletes comes after everybody's last use.
    if (shares_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  explicit FeedAddress(std::shared_ptr<Feed> feed) : feed_(std::move(feed)) {}

  // face_ is the first member of a class without virtual functions.
  static FeedAddress& of(millrace_feed* face) { return *reinterpret_cast<FeedAddress*>(face); }

  static void retain(millrace_feed* face) {
    of(face).shares_.fetch_add(1, std::memory_order_relaxed);
  }
  static void release(millrace_feed* face) { of(face).release(); }

  static int push(millrace_feed* face, const void* data, std::uint32_t length, const void* key,
                  int wait) {
    Feed& feed = *of(face).feed_;
    FeedKey wide;
    if (!read_key(feed.options().key, key, wide)) return MILLRACE_FEED_BAD_KEY;
    const std::int64_t timeout_ms = feed.options().block_timeout_ms;
    const PushResult result =
        wait == 0 ? feed.push(data, length, wide)
                  : feed.push_waiting(data, length, wide,
                                      timeout_ms < 0 ? timeout_ms : timeout_ms * kNanosPerMilli);
    return static_cast<int>(result);
  }

  static bool read_key(FeedKeyKind kind, const void* key, FeedKey& out) {
    if (kind == FeedKeyKind::kNone) return true;
    if (key == nullptr) return false;
    if (kind == FeedKeyKind::kU32) {
      std::uint32_t narrow;
      std::memcpy(&narrow, key, sizeof(narrow));
      out.low = narrow;
    } else if (kind == FeedKeyKind::kU64) {
      std::memcpy(&out.low, key, sizeof(out.low));
    } else {
      const auto* const text = static_cast<const unsigned char*>(key);
      unsigned char padded[sizeof(FeedKey)] = {};
      for (std::size_t at = 0; at < sizeof(padded) && text[at] != 0; ++at) {
        if (text[at] > 0x7f) return false;
        padded[at] = text[at];
      }
      std::memcpy(&out, padded, sizeof(padded));
    }
    return true;
  }

  static_assert(static_cast<int>(PushResult::kAccepted) == MILLRACE_FEED_ACCEPTED);
  static_assert(static_cast<int>(PushResult::kDropped) == MILLRACE_FEED_DROPPED);
  static_assert(static_cast<int>(PushResult::kFull) == MILLRACE_FEED_FULL);
  static_assert(static_cast<int>(PushResult::kClosed) == MILLRACE_FEED_CLOSED);
  static_assert(static_cast<int>(PushResult::kTooLarge) == MILLRACE_FEED_TOO_LARGE);

  static constexpr millrace_feed_table kTable{MILLRACE_FEED_MAGIC,
                                              MILLRACE_FEED_VERSION,
                                              sizeof(millrace_feed_table),
                                              &retain,
                                              &release,
                                              &push};

  millrace_feed face_{&kTable};
  std::atomic<std::uint32_t> shares_{1};
  const std::shared_ptr<Feed> feed_;
};

}  // namespace millrace
