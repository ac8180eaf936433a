#include "millrace/base/native_thread.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <string>

namespace millrace {
namespace {

TEST(NativeThread, RunsUnderItsNameWithEverySignalBlocked) {
  NativeThread thread;
  std::string name;
  sigset_t blocked;
  sigemptyset(&blocked);
  ASSERT_FALSE(thread.start("mr-fifteen-char", [&] {
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    // The starter names it, perhaps after it has begun.
    char text[16] = {};
    while (name != "mr-fifteen-char") {
      pthread_getname_np(pthread_self(), text, sizeof text);
      name = text;
    }
  }));
  thread.join();
  EXPECT_EQ(name, "mr-fifteen-char");
  EXPECT_EQ(sigismember(&blocked, SIGTERM), 1);
  EXPECT_EQ(sigismember(&blocked, SIGUSR1), 1);
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  EXPECT_EQ(sigismember(&own, SIGTERM), 0) << "the starter's own are as they were";
}

TEST(NativeThread, StartsAgainAfterItWasJoined) {
  NativeThread thread;
  std::atomic<int> runs{0};
  thread.join();  // there is nothing to join
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(thread.start("mr-again", [&] { runs.fetch_add(1); }));
    thread.join();
    thread.join();
  }
  EXPECT_EQ(runs.load(), 3);
}

}  // namespace
}  // namespace millrace
