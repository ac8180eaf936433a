#include "millrace/base/spin_lock.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(SpinLock, LetsOneThreadInAtATime) {
  SpinLock lock;
  std::uint64_t plain = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const std::lock_guard guard(lock);
        ++plain;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(plain, 80'000u);
}

TEST(SpinLock, TryLockFailsWhileItIsHeld) {
  SpinLock lock;
  ASSERT_TRUE(lock.try_lock());
  std::thread([&] { EXPECT_FALSE(lock.try_lock()); }).join();
  lock.unlock();
  ASSERT_TRUE(lock.try_lock());
  lock.unlock();
}

}  // namespace
}  // namespace millrace
