// The map of words beside oneTBB's concurrent_hash_map, Boost's concurrent_flat_map and an
// unordered_map behind a shared_mutex: a million random keys, two threads, nine reads to a write of
// a key that is there. Peers are measured where their headers are found: libtbb-dev has the first;
// Boost has the second from 1.83 on (CPLUS_INCLUDE_PATH=… if it is not the system's).
//   concurrent_map_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <unordered_map>

#if __has_include(<tbb/concurrent_hash_map.h>)
#include <tbb/concurrent_hash_map.h>
#define MILLRACE_BENCH_TBB 1
#endif
#if __has_include(<boost/unordered/concurrent_flat_map.hpp>)
#include <boost/unordered/concurrent_flat_map.hpp>
#define MILLRACE_BENCH_FLAT_MAP 1
#endif

#include "millrace/concurrent/concurrent_map.h"
#include "pinned.h"

namespace {

constexpr std::uint64_t kKeys = 1'000'000;

// The finaliser of splitmix64 (S. Vigna): a bijection, so that no two keys are one.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
std::uint64_t key_of(std::uint64_t i) { return mix(i + 1); }

class Ours {
 public:
  Ours() {
    millrace::MapOptions options;
    options.max_bytes = std::size_t{256} << 20;
    if (map_.open(options)) std::abort();
  }
  bool get(std::uint64_t key, std::uint64_t& value) {
    return map_.read(key, [&](const auto& entry) { value = entry.value(); });
  }
  void set(std::uint64_t key, std::uint64_t value) { map_.set(key, value); }
  template <class Visit>
  void get_many(std::span<const std::uint64_t> keys, Visit visit) {
    map_.read_many(keys, visit);
  }

 private:
  millrace::ConcurrentWordMap map_;
};

class Locked {
 public:
  bool get(std::uint64_t key, std::uint64_t& value) {
    const std::shared_lock guard(mutex_);
    const auto found = map_.find(key);
    if (found == map_.end()) return false;
    value = found->second;
    return true;
  }
  void set(std::uint64_t key, std::uint64_t value) {
    const std::unique_lock guard(mutex_);
    map_[key] = value;
  }

 private:
  std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, std::uint64_t> map_;
};

#ifdef MILLRACE_BENCH_TBB
class Tbb {
  using Map = tbb::concurrent_hash_map<std::uint64_t, std::uint64_t>;

 public:
  bool get(std::uint64_t key, std::uint64_t& value) {
    Map::const_accessor found;
    if (!map_.find(found, key)) return false;
    value = found->second;
    return true;
  }
  void set(std::uint64_t key, std::uint64_t value) {
    Map::accessor found;
    map_.insert(found, key);
    found->second = value;
  }

 private:
  Map map_;
};
#endif

#ifdef MILLRACE_BENCH_FLAT_MAP
class FlatMap {
 public:
  bool get(std::uint64_t key, std::uint64_t& value) {
    return map_.cvisit(key, [&](const auto& entry) { value = entry.second; }) != 0;
  }
  void set(std::uint64_t key, std::uint64_t value) { map_.insert_or_assign(key, value); }

 private:
  boost::concurrent_flat_map<std::uint64_t, std::uint64_t> map_;
};
#endif

// Filled at its first use, by whichever thread comes first.
template <class Map>
Map& filled() {
  static Map* const map = [] {
    auto* const made = new Map;
    for (std::uint64_t i = 0; i < kKeys; ++i) made->set(key_of(i), i);
    return made;
  }();
  return *map;
}

class Random {
 public:
  explicit Random(int thread) : state_(0x9e3779b97f4a7c15u * (static_cast<unsigned>(thread) + 1)) {}
  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15u); }

 private:
  std::uint64_t state_;
};

template <class Map>
void mixed(benchmark::State& state) {
  Map& map = filled<Map>();
  const Pinned pinned(state.thread_index());
  Random random(state.thread_index());
  std::uint64_t missed = 0;
  for (auto _ : state) {
    const std::uint64_t drawn = random.next();
    const std::uint64_t key = key_of((drawn >> 8) % kKeys);
    if ((drawn & 0xff) < 26) {
      map.set(key, drawn);
    } else {
      std::uint64_t value = 0;
      missed += map.get(key, value) ? 0 : 1;
      benchmark::DoNotOptimize(value);
    }
  }
  if (missed != 0) state.SkipWithError("a key is missing");
}

// What one key of a batch costs.
void batches(benchmark::State& state) {
  constexpr std::size_t kBatch = 64;
  Ours& map = filled<Ours>();
  const Pinned pinned(state.thread_index());
  Random random(state.thread_index());
  std::uint64_t keys[kBatch];
  std::uint64_t found = 0;
  std::uint64_t batches = 0;
  while (state.KeepRunningBatch(kBatch)) {
    for (std::uint64_t& key : keys) key = key_of((random.next() >> 8) % kKeys);
    map.get_many(keys, [&](std::size_t, const std::uint64_t* value) { found += value != nullptr; });
    ++batches;
  }
  if (found != batches * kBatch) state.SkipWithError("a key is missing");
}

BENCHMARK(mixed<Ours>)->Name("mixed/ours")->Threads(2)->UseRealTime();
BENCHMARK(mixed<Locked>)->Name("mixed/shared_mutex")->Threads(2)->UseRealTime();
#ifdef MILLRACE_BENCH_TBB
BENCHMARK(mixed<Tbb>)->Name("mixed/tbb")->Threads(2)->UseRealTime();
#endif
#ifdef MILLRACE_BENCH_FLAT_MAP
BENCHMARK(mixed<FlatMap>)->Name("mixed/flat_map")->Threads(2)->UseRealTime();
#endif
BENCHMARK(batches)->Name("read_many")->Threads(2)->UseRealTime();

}  // namespace
