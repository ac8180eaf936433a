#include "millrace/concurrent/seq_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(SeqLock, LetsOneWriterInAtATime) {
  SeqLock lock;
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

TEST(SeqLock, TellsReadersThatAWriterWasThere) {
  SeqLock lock;
  const std::uint64_t begun = lock.read_begin();
  EXPECT_TRUE(lock.read_valid(begun));
  lock.lock();
  EXPECT_FALSE(lock.read_valid(begun));
  EXPECT_FALSE(lock.try_lock());
  lock.unlock();
  EXPECT_FALSE(lock.read_valid(begun));
  EXPECT_TRUE(lock.read_valid(lock.read_begin()));
}

TEST(SeqLock, ReadersSeeOneMoment) {
  SeqLock lock;
  std::atomic<std::uint64_t> a{0};
  std::atomic<std::uint64_t> b{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 2; ++t) {
    writers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        const std::lock_guard guard(lock);
        const std::uint64_t next = a.load(std::memory_order_relaxed) + 1;
        a.store(next, std::memory_order_release);
        b.store(next, std::memory_order_release);
      }
    });
  }
  std::uint64_t valid = 0;
  while (valid < 20'000) {
    const std::uint64_t begun = lock.read_begin();
    const std::uint64_t seen_b = b.load(std::memory_order_acquire);
    const std::uint64_t seen_a = a.load(std::memory_order_acquire);
    if (!lock.read_valid(begun)) continue;
    ++valid;
    ASSERT_EQ(seen_a, seen_b);
  }
  stop.store(true, std::memory_order_relaxed);
  for (auto& writer : writers) writer.join();
}

}  // namespace
}  // namespace millrace
