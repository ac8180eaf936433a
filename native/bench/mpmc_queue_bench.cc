#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <thread>
#include <vector>

#include "millrace/concurrent/mpmc_queue.h"

namespace millrace {
namespace {

constexpr std::uint32_t kCapacity = 4096;
constexpr std::uint32_t kLargestBatch = 64;

void push_all(MpmcQueue<std::uint64_t>& queue, std::uint64_t items, std::uint32_t batch) {
  std::array<std::uint64_t, kLargestBatch> values{};
  for (std::uint64_t left = items; left > 0;) {
    const auto want = static_cast<std::uint32_t>(left < batch ? left : batch);
    const std::uint32_t done =
        batch == 1 ? (queue.try_push(left) ? 1u : 0u) : queue.try_push_many({values.data(), want});
    if (done == 0) std::this_thread::yield();
    left -= done;
  }
}

void pop_all(MpmcQueue<std::uint64_t>& queue, std::uint32_t batch) {
  std::array<std::uint64_t, kLargestBatch> values;
  while (!queue.drained()) {
    const std::uint32_t got = batch == 1 ? (queue.try_pop(values[0]) ? 1u : 0u)
                                         : queue.try_pop_many({values.data(), batch});
    benchmark::DoNotOptimize(values);
    if (got == 0) std::this_thread::yield();
  }
}

// One thread, the queue never empty nor full: the two operations alone.
void push_and_pop_alone(benchmark::State& state) {
  MpmcQueue<std::uint64_t> queue(kCapacity);
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  std::array<std::uint64_t, kLargestBatch> values{};
  for (auto _ : state) {
    if (batch == 1) {
      queue.try_push(1);
      queue.try_pop(values[0]);
    } else {
      queue.try_push_many({values.data(), batch});
      queue.try_pop_many({values.data(), batch});
    }
    benchmark::DoNotOptimize(values);
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(push_and_pop_alone)->ArgName("batch")->Arg(1)->Arg(32);

// Time for each item that went from some producer to some consumer.
void hand_over(benchmark::State& state) {
  constexpr std::uint64_t kItems = 1 << 18;
  const auto sides = static_cast<std::uint32_t>(state.range(0));
  const auto batch = static_cast<std::uint32_t>(state.range(1));
  for (auto _ : state) {
    MpmcQueue<std::uint64_t> queue(kCapacity);
    std::vector<std::thread> consumers, producers;
    for (std::uint32_t i = 0; i < sides; ++i) {
      consumers.emplace_back([&] { pop_all(queue, batch); });
    }
    for (std::uint32_t i = 1; i < sides; ++i) {
      producers.emplace_back([&] { push_all(queue, kItems / sides, batch); });
    }
    push_all(queue, kItems / sides, batch);
    for (auto& producer : producers) producer.join();
    queue.close();
    for (auto& consumer : consumers) consumer.join();
  }
  state.SetItemsProcessed(state.iterations() * kItems);
}
BENCHMARK(hand_over)
    ->ArgNames({"sides", "batch"})
    ->Args({1, 1})
    ->Args({2, 1})
    ->Args({1, 32})
    ->Args({2, 32})
    ->UseRealTime();

}  // namespace
}  // namespace millrace
