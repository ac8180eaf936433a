#include "millrace/io/epoll.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "millrace/io/event_fd.h"
#include "watchdog.h"

namespace millrace {
namespace {

class EpollTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(epoll_.open());
    ASSERT_FALSE(bell_.open());
  }

  int wait(int timeout_ms) {
    SystemError error;
    const int count = epoll_.wait(events_, timeout_ms, error);
    EXPECT_FALSE(error);
    return count;
  }

  Epoll epoll_;
  EventFd bell_;
  std::array<epoll_event, 8> events_{};
};

TEST_F(EpollTest, GivesBackTheKeyOfWhatIsReady) {
  constexpr std::uint64_t kKey = 0x1234'5678'9abc'def0;
  ASSERT_FALSE(epoll_.add(bell_.fd(), EPOLLIN, kKey));
  EXPECT_EQ(wait(0), 0);
  bell_.notify();
  ASSERT_EQ(wait(-1), 1);
  EXPECT_EQ(events_[0].data.u64, kKey);
  EXPECT_EQ(events_[0].events, static_cast<std::uint32_t>(EPOLLIN));
  EXPECT_EQ(wait(0), 1);
  bell_.drain();
  EXPECT_EQ(wait(0), 0);
}

TEST_F(EpollTest, EdgesComeOnceEach) {
  ASSERT_FALSE(epoll_.add(bell_.fd(), EPOLLIN | EPOLLET, 1));
  bell_.notify();
  EXPECT_EQ(wait(-1), 1);
  EXPECT_EQ(wait(0), 0);
  bell_.notify();
  EXPECT_EQ(wait(-1), 1);
}

TEST_F(EpollTest, ModifyChangesEventsAndKey) {
  ASSERT_FALSE(epoll_.add(bell_.fd(), EPOLLIN, 1));
  ASSERT_FALSE(epoll_.modify(bell_.fd(), EPOLLOUT, 2));
  ASSERT_EQ(wait(-1), 1);
  EXPECT_EQ(events_[0].data.u64, 2u);
  EXPECT_EQ(events_[0].events, static_cast<std::uint32_t>(EPOLLOUT));
}

TEST_F(EpollTest, RemoveEndsTheEvents) {
  ASSERT_FALSE(epoll_.add(bell_.fd(), EPOLLIN, 1));
  bell_.notify();
  ASSERT_FALSE(epoll_.remove(bell_.fd()));
  EXPECT_EQ(wait(0), 0);
}

TEST_F(EpollTest, ErrorsNameTheCall) {
  ASSERT_FALSE(epoll_.add(bell_.fd(), EPOLLIN, 1));
  SystemError error = epoll_.add(bell_.fd(), EPOLLIN, 1);
  EXPECT_EQ(error.code, EEXIST);
  EXPECT_STREQ(error.syscall, "epoll_ctl");
  EXPECT_EQ(epoll_.remove(-1).code, EBADF);
  FileDescriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(epoll_.add(file.get(), EPOLLIN, 1).code, EPERM);

  Epoll closed;
  EXPECT_EQ(closed.wait(events_, 0, error), 0);
  EXPECT_EQ(error.code, EBADF);
  EXPECT_STREQ(error.syscall, "epoll_wait");
}

TEST_F(EpollTest, ASignalIsNotAnError) {
  const Watchdog watchdog("epoll_wait and a signal");
  struct sigaction action {
  }, old{};
  static std::atomic<bool> came;
  came = false;
  action.sa_handler = [](int) { came = true; };
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &old), 0);
  const pthread_t self = ::pthread_self();
  std::atomic<bool> returned{false};
  // Sent again until the wait has ended: the first may come before it.
  std::thread sender([&] {
    while (!returned.load()) {
      ::pthread_kill(self, SIGUSR1);
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(wait(-1), 0);
  returned = true;
  sender.join();
  EXPECT_TRUE(came.load());
  ::sigaction(SIGUSR1, &old, nullptr);
}

TEST_F(EpollTest, AnotherThreadMayAddWhileOneWaits) {
  const Watchdog watchdog("add while waiting");
  bell_.notify();
  std::thread adder([&] { EXPECT_FALSE(epoll_.add(bell_.fd(), EPOLLIN, 5)); });
  EXPECT_EQ(wait(-1), 1);
  EXPECT_EQ(events_[0].data.u64, 5u);
  adder.join();
}

}  // namespace
}  // namespace millrace
