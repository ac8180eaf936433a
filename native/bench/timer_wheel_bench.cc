#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "millrace/time/timer_wheel.h"

namespace millrace {
namespace {

constexpr std::uint32_t kTimers = 1'000'000;
constexpr std::uint32_t kSpanMs = 60'000;

std::vector<std::uint32_t> random_times() {
  std::mt19937 random(1);
  std::vector<std::uint32_t> times(kTimers);
  for (auto& time : times) time = 1 + random() % kSpanMs;
  return times;
}

void fill(TimerWheel& wheel, const std::vector<std::uint32_t>& times,
          std::vector<TimerWheel::Handle>& handles) {
  for (std::uint32_t id = 0; id < kTimers; ++id) handles[id] = wheel.schedule(times[id], id);
}

void schedule(benchmark::State& state) {
  const auto times = random_times();
  std::vector<TimerWheel::Handle> handles(kTimers);
  for (auto _ : state) {
    TimerWheel wheel(kTimers, 1, 0);
    fill(wheel, times, handles);
    benchmark::DoNotOptimize(handles.data());
  }
  state.SetItemsProcessed(state.iterations() * kTimers);
}
BENCHMARK(schedule)->Unit(benchmark::kMillisecond);

// The structure a timer queue is usually made of; it cannot cancel.
void schedule_in_a_heap(benchmark::State& state) {
  const auto times = random_times();
  using Entry = std::pair<std::uint64_t, std::uint32_t>;
  for (auto _ : state) {
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap;
    for (std::uint32_t id = 0; id < kTimers; ++id) heap.emplace(times[id], id);
    benchmark::DoNotOptimize(heap.top());
  }
  state.SetItemsProcessed(state.iterations() * kTimers);
}
BENCHMARK(schedule_in_a_heap)->Unit(benchmark::kMillisecond);

void cancel(benchmark::State& state) {
  const auto times = random_times();
  std::vector<TimerWheel::Handle> handles(kTimers);
  std::vector<std::uint32_t> order(kTimers);
  std::iota(order.begin(), order.end(), 0u);
  if (state.range(0) != 0) std::shuffle(order.begin(), order.end(), std::mt19937(2));
  for (auto _ : state) {
    state.PauseTiming();
    TimerWheel wheel(kTimers, 1, 0);
    fill(wheel, times, handles);
    state.ResumeTiming();
    for (const std::uint32_t id : order) wheel.cancel(handles[id]);
    benchmark::DoNotOptimize(wheel.size());
  }
  state.SetItemsProcessed(state.iterations() * kTimers);
}
BENCHMARK(cancel)->ArgName("shuffled")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void put_off(benchmark::State& state) {
  const auto times = random_times();
  std::vector<TimerWheel::Handle> handles(kTimers);
  std::vector<std::uint32_t> order(kTimers);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937(2));
  TimerWheel wheel(kTimers, 1, 0);
  fill(wheel, times, handles);
  std::uint64_t later = kSpanMs;
  for (auto _ : state) {
    ++later;
    for (const std::uint32_t id : order) wheel.reschedule(handles[id], later);
  }
  state.SetItemsProcessed(state.iterations() * kTimers);
}
BENCHMARK(put_off)->Unit(benchmark::kMillisecond);

// All of them, tick by tick, or after one jump of the clock.
void expire(benchmark::State& state) {
  const auto times = random_times();
  std::vector<TimerWheel::Handle> handles(kTimers);
  const auto step = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    TimerWheel wheel(kTimers, 1, 0);
    fill(wheel, times, handles);
    std::uint64_t sum = 0;
    state.ResumeTiming();
    for (std::uint64_t now = step; wheel.size() != 0; now += step) {
      wheel.advance(now, [&](std::uint32_t id) { sum += id; });
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * kTimers);
}
BENCHMARK(expire)->ArgName("step_ms")->Arg(1)->Arg(kSpanMs)->Unit(benchmark::kMillisecond);

void expire_from_a_heap(benchmark::State& state) {
  const auto times = random_times();
  using Entry = std::pair<std::uint64_t, std::uint32_t>;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<Entry> entries;
    for (std::uint32_t id = 0; id < kTimers; ++id) entries.emplace_back(times[id], id);
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap({}, std::move(entries));
    std::uint64_t sum = 0;
    state.ResumeTiming();
    for (; !heap.empty(); heap.pop()) sum += heap.top().second;
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * kTimers);
}
BENCHMARK(expire_from_a_heap)->Unit(benchmark::kMillisecond);

void advance_over_nothing(benchmark::State& state) {
  TimerWheel wheel(16, 1, 0);
  wheel.schedule(std::uint64_t{1} << 62, 1);
  std::uint64_t now = 0;
  for (auto _ : state) {
    now += 100'000;
    benchmark::DoNotOptimize(wheel.advance(now, [](std::uint32_t) {}));
  }
}
BENCHMARK(advance_over_nothing);

}  // namespace
}  // namespace millrace
