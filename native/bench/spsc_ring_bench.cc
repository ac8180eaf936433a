#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "millrace/concurrent/spsc_ring.h"

namespace millrace {
namespace {

constexpr std::uint32_t kMemory = 1 << 18;

// Time for each record of the given size that one thread wrote and another read.
void hand_over(benchmark::State& state) {
  constexpr std::uint64_t kRecords = 1 << 18;
  const auto bytes = static_cast<std::uint32_t>(state.range(0));
  const auto batch = static_cast<std::uint32_t>(state.range(1));
  std::vector<std::uint64_t> memory(kMemory / 8);
  const std::vector<std::byte> source(bytes);
  for (auto _ : state) {
    SpscRing ring(reinterpret_cast<std::byte*>(memory.data()), kMemory);
    std::thread consumer([&] {
      std::uint64_t sum = 0;
      while (!ring.drained()) {
        const std::uint32_t got = ring.drain(batch, [&](std::span<std::byte> record) {
          std::uint64_t first;
          std::memcpy(&first, record.data(), sizeof first);
          sum += first;
        });
        if (got == 0) std::this_thread::yield();
      }
      benchmark::DoNotOptimize(sum);
    });
    std::uint32_t staged = 0;
    for (std::uint64_t left = kRecords; left > 0;) {
      std::byte* room = ring.reserve(bytes);
      if (room == nullptr) {
        ring.publish();
        std::this_thread::yield();
        continue;
      }
      std::memcpy(room, source.data(), bytes);
      ring.commit(bytes);
      --left;
      if (++staged == batch) {
        ring.publish();
        staged = 0;
      }
    }
    ring.publish();
    ring.close();
    consumer.join();
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(hand_over)
    ->ArgNames({"bytes", "batch"})
    ->Args({8, 1})
    ->Args({64, 1})
    ->Args({8, 32})
    ->Args({64, 32})
    ->Args({1024, 32})
    ->UseRealTime();

}  // namespace
}  // namespace millrace
