#include "millrace/base/rw_spin_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "watchdog.h"

namespace millrace {
namespace {

TEST(RwSpinLock, ReadersShareAndWritersExclude) {
  RwSpinLock lock;
  ASSERT_TRUE(lock.try_lock_shared());
  EXPECT_TRUE(lock.try_lock_shared());
  EXPECT_FALSE(lock.try_lock());
  lock.unlock_shared();
  EXPECT_FALSE(lock.try_lock());
  lock.unlock_shared();
  ASSERT_TRUE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock_shared());
  lock.unlock();
  EXPECT_TRUE(lock.try_lock_shared());
  lock.unlock_shared();
}

TEST(RwSpinLock, ReadersNeverSeeHalfAWrite) {
  RwSpinLock lock;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::atomic<std::uint64_t> torn{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        const std::lock_guard guard(lock);
        ++first;
        ++second;
      }
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        const std::shared_lock guard(lock);
        if (first != second) torn.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(torn.load(), 0u);
  EXPECT_EQ(first, 20'000u);
}

TEST(RwSpinLock, AWaitingWriterIsNotStarvedByReaders) {
  const Watchdog watchdog("a writer among readers that never leave a gap");
  RwSpinLock lock;
  std::atomic<bool> written{false};
  std::atomic<int> reading{0};
  std::vector<std::thread> readers;
  // Each reader takes the lock again before it has left any pause: without a mark for waiting
  // writers the lock is hardly ever free.
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      reading.fetch_add(1);
      while (!written.load()) {
        const std::shared_lock guard(lock);
        for (int i = 0; i < 50; ++i) cpu_relax();
      }
    });
  }
  while (reading.load() < 3) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) {
    const std::lock_guard guard(lock);
  }
  written = true;
  for (auto& reader : readers) reader.join();
}

TEST(RwSpinLock, AReaderHoldsNewReadersBackOnlyWhileAWriterWaits) {
  const Watchdog watchdog("a writer behind one reader");
  RwSpinLock lock;
  lock.lock_shared();
  std::thread writer([&] {
    lock.lock();
    lock.unlock();
  });
  // The writer's mark shows in that readers are refused.
  for (;;) {
    if (!lock.try_lock_shared()) break;
    lock.unlock_shared();
    std::this_thread::yield();
  }
  lock.unlock_shared();
  writer.join();
  EXPECT_TRUE(lock.try_lock_shared());
  lock.unlock_shared();
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

}  // namespace
}  // namespace millrace
