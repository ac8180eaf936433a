#include "millrace/io/event_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdint>
#include <thread>

namespace millrace {
namespace {

bool readable(const EventFd& event) {
  pollfd poll{event.fd(), POLLIN, 0};
  return ::poll(&poll, 1, 0) == 1;
}

TEST(EventFd, CountsUntilItIsDrained) {
  EventFd event;
  ASSERT_FALSE(event.open());
  EXPECT_FALSE(readable(event));
  event.notify();
  event.notify(41);
  EXPECT_TRUE(readable(event));
  EXPECT_EQ(event.drain(), 42u);
  EXPECT_EQ(event.drain(), 0u);
  EXPECT_FALSE(readable(event));
}

TEST(EventFd, StartsAtItsInitialValue) {
  EventFd event;
  ASSERT_FALSE(event.open(3));
  EXPECT_EQ(event.drain(), 3u);
}

TEST(EventFd, ASemaphoreGivesOutOneByOne) {
  EventFd event;
  ASSERT_FALSE(event.open(2, true));
  EXPECT_EQ(event.drain(), 1u);
  EXPECT_EQ(event.drain(), 1u);
  EXPECT_EQ(event.drain(), 0u);
}

TEST(EventFd, AFullCounterStaysReadableAndBlocksNobody) {
  EventFd event;
  ASSERT_FALSE(event.open());
  event.notify(~std::uint64_t{0} - 1);
  event.notify();
  EXPECT_TRUE(readable(event));
  EXPECT_EQ(event.drain(), ~std::uint64_t{0} - 1);
}

TEST(EventFd, IsNonBlockingAndClosedOnExec) {
  EventFd event;
  ASSERT_FALSE(event.open());
  EXPECT_TRUE(::fcntl(event.fd(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(::fcntl(event.fd(), F_GETFD) & FD_CLOEXEC);
}

TEST(EventFd, LosesNoCountBetweenThreads) {
  EventFd event;
  ASSERT_FALSE(event.open());
  constexpr std::uint64_t kEach = 5'000;
  const auto notify = [&] {
    for (std::uint64_t i = 0; i < kEach; ++i) event.notify();
  };
  std::thread first(notify);
  std::thread second(notify);
  std::uint64_t total = 0;
  while (total < 2 * kEach) {
    pollfd poll{event.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&poll, 1, -1), 1);
    total += event.drain();
  }
  first.join();
  second.join();
  EXPECT_EQ(total, 2 * kEach);
}

}  // namespace
}  // namespace millrace
