#include "millrace/queue/queue_user.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include <atomic>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "millrace/queue/byte_queue.h"
#include "millrace/queue/byte_ring.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

std::shared_ptr<ByteQueue> queue_of(std::uint32_t capacity, QueueOverflow overflow,
                                    std::uint64_t start = 0) {
  SystemError error;
  return ByteQueue::open(capacity, 16, overflow, error, start);
}

// One more user of the queue.
millrace_queue* user_of(const std::shared_ptr<MessageQueue>& queue) {
  QueueUser* const root = QueueUser::make(queue);
  millrace_queue* const user = millrace_queue_open(root->address());
  root->release();
  return user;
}

TEST(QueueUser, PushesAndPopsThroughTheTable) {
  const auto queue = queue_of(2, QueueOverflow::kReject);
  millrace_queue* const user = user_of(queue);
  ASSERT_NE(user, nullptr);
  EXPECT_EQ(millrace_queue_open(0), nullptr);
  EXPECT_EQ(millrace_queue_push(user, "abc", 3, 0), MILLRACE_QUEUE_DONE);
  EXPECT_EQ(millrace_queue_push(user, nullptr, 0, -1), MILLRACE_QUEUE_DONE);
  EXPECT_EQ(millrace_queue_push(user, "x", 1, 0), MILLRACE_QUEUE_FULL);
  EXPECT_EQ(millrace_queue_push(user, "x", 1, 1), MILLRACE_QUEUE_FULL);
  EXPECT_EQ(millrace_queue_push(user, "more than sixteen", 17, -1), MILLRACE_QUEUE_TOO_LARGE);
  EXPECT_EQ(queue->stats().rejected, 2u);
  char target[16];
  std::uint32_t length = 9;
  EXPECT_EQ(millrace_queue_pop(user, target, 2, &length, 0), MILLRACE_QUEUE_TOO_SMALL);
  EXPECT_EQ(length, 3u);
  EXPECT_EQ(millrace_queue_pop(user, target, 16, &length, -1), MILLRACE_QUEUE_DONE);
  EXPECT_EQ(std::string(target, length), "abc");
  EXPECT_EQ(millrace_queue_pop(user, nullptr, 0, &length, 0), MILLRACE_QUEUE_DONE);
  EXPECT_EQ(length, 0u);
  EXPECT_EQ(millrace_queue_pop(user, target, 16, &length, 0), MILLRACE_QUEUE_EMPTY);
  EXPECT_EQ(millrace_queue_pop(user, target, 16, &length, 1), MILLRACE_QUEUE_EMPTY);
  millrace_queue_close(user);
  EXPECT_EQ(millrace_queue_push(user, "x", 1, -1), MILLRACE_QUEUE_CLOSED);
  EXPECT_EQ(millrace_queue_pop(user, target, 16, &length, -1), MILLRACE_QUEUE_CLOSED);
  millrace_queue_retain(user);
  millrace_queue_release(user);
  millrace_queue_release(user);
}

TEST(QueueUser, ASideOfARingIsFreeWhenItsUserLetsGo) {
  SystemError error;
  const auto ring = ByteRing::open(256, 0, error);
  millrace_queue* const first = user_of(ring);
  millrace_queue* const second = user_of(ring);
  EXPECT_EQ(millrace_queue_push(first, "a", 1, 0), MILLRACE_QUEUE_DONE);
  EXPECT_EQ(millrace_queue_push(second, "b", 1, -1), MILLRACE_QUEUE_TAKEN);
  millrace_queue_release(first);
  EXPECT_EQ(millrace_queue_push(second, "b", 1, -1), MILLRACE_QUEUE_DONE);
  millrace_queue_release(second);
}

// Numbers from several threads to several, asleep whenever there is nothing to do.
void relay(const std::shared_ptr<MessageQueue>& queue, int producers, int consumers,
           std::uint32_t each, std::uint64_t seed) {
  const Watchdog watchdog("queue users, " + seed_note(seed));
  std::atomic<std::uint64_t> sum{0};
  std::atomic<std::uint64_t> count{0};
  std::atomic<int> disorder{0};
  std::vector<std::thread> readers, writers;
  for (int c = 0; c < consumers; ++c) {
    readers.emplace_back([&, c] {
      millrace_queue* const user = user_of(queue);
      std::minstd_rand random(static_cast<std::uint32_t>(seed + 100 + c));
      std::vector<std::uint32_t> next(producers, 0);
      std::uint64_t packed[64];
      std::uint32_t lengths[64];
      std::uint32_t got = 0;
      const auto pop = [&] {
        return millrace_queue_pop_many(user, 1 + random() % 30, packed, sizeof packed, lengths,
                                       &got, -1);
      };
      while (pop() == MILLRACE_QUEUE_DONE) {
        for (std::uint32_t i = 0; i < got; ++i) {
          if (lengths[i] != 8) ++disorder;
          const auto producer = static_cast<std::uint32_t>(packed[i] >> 32);
          const auto number = static_cast<std::uint32_t>(packed[i]);
          if (number < next[producer]) ++disorder;
          next[producer] = number + 1;
          sum += number;
        }
        count += got;
      }
      millrace_queue_release(user);
    });
  }
  for (int p = 0; p < producers; ++p) {
    writers.emplace_back([&, p] {
      millrace_queue* const user = user_of(queue);
      for (std::uint32_t i = 0; i < each; ++i) {
        const std::uint64_t word = static_cast<std::uint64_t>(p) << 32 | i;
        if (millrace_queue_push(user, &word, 8, -1) != MILLRACE_QUEUE_DONE) ++disorder;
      }
      millrace_queue_release(user);
    });
  }
  for (auto& writer : writers) writer.join();
  queue->close();
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(disorder.load(), 0);
  EXPECT_EQ(count.load(), std::uint64_t{each} * producers);
  EXPECT_EQ(sum.load(), std::uint64_t{each} * (each - 1) / 2 * producers);
  const QueueStats stats = queue->stats();
  EXPECT_EQ(stats.pushed, stats.popped);
  EXPECT_EQ(stats.depth, 0u);
  EXPECT_EQ(stats.rejected, 0u);
}

TEST(QueueUser, WaitersOnBothSidesLoseAndDoubleNothing) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  for (const std::uint64_t start : {std::uint64_t{0}, (std::uint64_t{1} << 32) - 100}) {
    relay(queue_of(2, QueueOverflow::kReject, start), 3, 2, 4'000, seed);
    relay(queue_of(64, QueueOverflow::kReject, start), 2, 3, 20'000, seed);
    SystemError error;
    relay(ByteRing::open(64, 0, error, start), 1, 1, 10'000, seed);
    relay(ByteRing::open(4096, 0, error, start), 1, 1, 50'000, seed);
  }
}

TEST(QueueUser, CloseWakesEverybodyWhoWaits) {
  const Watchdog watchdog("close wakes");
  for (int round = 0; round < 50; ++round) {
    const auto queue = queue_of(2, QueueOverflow::kReject);
    std::atomic<int> closed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        millrace_queue* const user = user_of(queue);
        char target[16];
        std::uint32_t length;
        closed += millrace_queue_pop(user, target, 16, &length, -1) == MILLRACE_QUEUE_CLOSED;
        millrace_queue_release(user);
      });
    }
    if (round % 2 == 0) std::this_thread::yield();
    queue->close();
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(closed.load(), 3);
  }
}

// --- A thread that is stopped in the middle of an operation: as by SIGSTOP, but one thread only
// ---

sem_t stopped;
sem_t go_on;
void stop_here(int) {
  sem_post(&stopped);
  while (sem_wait(&go_on) != 0) {
  }
}

// Stops the thread at whatever instruction it is, calls `meanwhile`, and lets it go on.
template <class Meanwhile>
void while_stopped(std::thread& thread, Meanwhile&& meanwhile) {
  pthread_kill(thread.native_handle(), SIGUSR1);
  while (sem_wait(&stopped) != 0) {
  }
  meanwhile();
  sem_post(&go_on);
}

class StoppedThread : public testing::TestWithParam<QueueOverflow> {
 protected:
  void SetUp() override {
    sem_init(&stopped, 0, 0);
    sem_init(&go_on, 0, 0);
    struct sigaction action {};
    action.sa_handler = stop_here;
    sigaction(SIGUSR1, &action, nullptr);
  }
};

TEST_P(StoppedThread, HoldsNobodyUpForEverAndLosesNothing) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("stopped thread, " + seed_note(seed));
  std::minstd_rand random(static_cast<std::uint32_t>(seed));
  const auto queue = queue_of(8, GetParam());
  std::atomic<bool> running{true};
  std::atomic<std::uint64_t> in{0}, out{0}, calls{0};
  const auto write = [&](std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; ++i) {
      const bool done =
          queue->push(1, std::as_bytes(std::span(&i, 1)), false) == QueueResult::kDone;
      in += done;
      ++calls;
    }
  };
  const auto read = [&](std::uint64_t times) {
    std::byte target[16];
    std::uint32_t length;
    for (std::uint64_t i = 0; i < times; ++i) {
      out += queue->pop(1, target, length) == QueueResult::kDone;
      ++calls;
    }
  };
  std::thread writer([&] {
    while (running.load()) write(100);
  });
  std::thread reader([&] {
    while (running.load()) read(100);
  });
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t until = calls.load() + 1 + random() % 300;
    while (calls.load() < until) std::this_thread::yield();
    // Whatever it holds, every call here comes back.
    while_stopped(round % 2 == 0 ? writer : reader, [&] {
      write(20);
      read(20);
    });
  }
  running = false;
  writer.join();
  reader.join();
  queue->close();
  read(8);
  const QueueStats stats = queue->stats();
  EXPECT_EQ(stats.pushed, in.load());
  EXPECT_EQ(stats.popped, out.load());
  EXPECT_EQ(stats.depth, 0u);
  EXPECT_EQ(stats.pushed, stats.popped + stats.dropped_oldest);
}

INSTANTIATE_TEST_SUITE_P(Policies, StoppedThread,
                         testing::Values(QueueOverflow::kReject, QueueOverflow::kDropNewest,
                                         QueueOverflow::kDropOldest));

}  // namespace
}  // namespace millrace
