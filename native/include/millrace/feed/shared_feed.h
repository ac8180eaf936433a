#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "millrace/base/shared_object.h"
#include "millrace/feed/feed.h"
#include "millrace/feed/feed_address.h"

namespace millrace {

// A feed as the threads of a process hold it, each by a shared_ptr to this. With the last holder
// the feed ends: what is left is dropped, and native producers that still have its address are told
// that it is closed. Any thread. The feed itself may live a little longer, with those who are
// inside it.
class SharedFeed : public SharedObject<SharedFeed> {
 public:
  explicit SharedFeed(std::shared_ptr<Feed> opened) : feed(std::move(opened)) {}
  ~SharedFeed() {
    feed->close();
    feed->discard(true);
    if (address_ != nullptr) address_->release();
  }

  // Where native producers find the feed; valid while somebody holds this.
  std::uint64_t address() {
    const std::lock_guard guard(lock_);
    if (address_ == nullptr) address_ = FeedAddress::make(feed);
    return address_->value();
  }

  const std::shared_ptr<Feed> feed;

 private:
  std::mutex lock_;
  FeedAddress* address_ = nullptr;
};

}  // namespace millrace
