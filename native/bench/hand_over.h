#pragma once

#include <benchmark/benchmark.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace millrace_bench {

inline constexpr std::uint32_t kCapacity = 4096;
inline constexpr std::uint32_t kMostInBatch = 64;
inline constexpr std::uint64_t kItems = 1 << 18;

// Producers on the first processors, consumers on the others: where the scheduler puts two threads
// otherwise decides more than what they run.
inline void pin(std::uint32_t number) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(number % std::thread::hardware_concurrency(), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// Time for each item that went from some producer to some consumer. Queue is made with the number
// of producers; make_producer() and make_consumer() answer what a thread works with: push(values,
// count) and pop(values, count) answer how many went, and yield is all that is done about 0.
template <class Queue>
void hand_over(benchmark::State& state) {
  const auto sides = static_cast<std::uint32_t>(state.range(0));
  const auto batch = static_cast<std::uint32_t>(state.range(1));
  for (auto _ : state) {
    Queue queue(sides);
    std::atomic<std::uint64_t> left{kItems};
    const auto produce = [&](std::uint32_t number) {
      pin(number);
      auto&& producer = queue.make_producer();
      std::uint64_t values[kMostInBatch] = {};
      for (std::uint64_t to_do = kItems / sides; to_do > 0;) {
        const std::uint32_t wanted = to_do < batch ? static_cast<std::uint32_t>(to_do) : batch;
        values[0] = to_do;
        const std::uint32_t done = producer.push(values, wanted);
        if (done == 0) std::this_thread::yield();
        to_do -= done;
      }
    };
    const auto consume = [&](std::uint32_t number) {
      pin(number);
      auto&& consumer = queue.make_consumer();
      std::uint64_t values[kMostInBatch];
      std::uint64_t unsaid = 0;
      for (;;) {
        const std::uint32_t got = consumer.pop(values, batch);
        benchmark::DoNotOptimize(values);
        unsaid += got;
        if (got != 0) continue;
        // Told only when there is nothing to do, so that the counter costs nothing.
        if (unsaid != 0) left.fetch_sub(unsaid, std::memory_order_relaxed);
        unsaid = 0;
        if (left.load(std::memory_order_relaxed) == 0) return;
        std::this_thread::yield();
      }
    };
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < sides; ++i) {
      threads.emplace_back(produce, i);
      threads.emplace_back(consume, i + 1);
    }
    for (auto& thread : threads) thread.join();
  }
  state.counters["ns_per_item"] =
      benchmark::Counter(static_cast<double>(state.iterations() * kItems) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// One by one, for queues that know no batches.
template <class Push>
std::uint32_t one_by_one(const std::uint64_t* values, std::uint32_t count, Push&& push) {
  std::uint32_t done = 0;
  while (done < count && push(values[done])) ++done;
  return done;
}
template <class Pop>
std::uint32_t one_by_one(std::uint64_t* values, std::uint32_t count, Pop&& pop) {
  std::uint32_t done = 0;
  while (done < count && pop(values[done])) ++done;
  return done;
}

}  // namespace millrace_bench
