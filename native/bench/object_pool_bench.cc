// The object pool beside boost::pool (which locks nothing: what one thread alone can have) and
// boost::pool behind a mutex: pairs of acquire and release on one thread, on two threads at once,
// and objects that one thread acquires and another releases.
//
// Two threads are pinned to two processors: left alone, the scheduler lets threads that yield to
// each other take turns on one, where nothing is contended and no line of a cache ever travels.
//   object_pool_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>

#if __has_include(<boost/pool/pool.hpp>)
#include <boost/pool/pool.hpp>
#define MILLRACE_BENCH_BOOST 1
#endif

#include "block_ring.h"
#include "millrace/memory/object_pool.h"
#include "pinned.h"

namespace {

struct Record {
  std::uint64_t words[16];
};

class Pool {
 public:
  using Handle = std::uint32_t;
  static constexpr bool kThreads = true;
  Pool() {
    if (pool_.open(1 << 20)) std::abort();
  }
  Handle acquire() { return pool_.acquire(); }
  void release(Handle handle) { pool_.release(handle); }
  Record& at(Handle handle) { return pool_.at(handle); }

 private:
  millrace::ObjectPool<Record> pool_;
};

#ifdef MILLRACE_BENCH_BOOST
struct NoLock {
  void lock() {}
  void unlock() {}
};

template <class Lock>
class BoostPool {
 public:
  using Handle = void*;
  static constexpr bool kThreads = !std::is_same_v<Lock, NoLock>;
  Handle acquire() {
    const std::lock_guard guard(lock_);
    return pool_.malloc();
  }
  void release(Handle handle) {
    const std::lock_guard guard(lock_);
    pool_.free(handle);
  }
  Record& at(Handle handle) { return *static_cast<Record*>(handle); }

 private:
  Lock lock_;
  boost::pool<> pool_{sizeof(Record)};
};
#endif

// 64 objects in hand, each released and acquired again in its turn.
template <class AnyPool>
class Pairs {
 public:
  explicit Pairs(AnyPool& pool) : pool_(pool) {
    for (auto& handle : held_) handle = pool_.acquire();
  }
  Pairs(const Pairs&) = delete;
  Pairs& operator=(const Pairs&) = delete;
  ~Pairs() {
    for (auto& handle : held_) pool_.release(handle);
  }
  void next() {
    auto& handle = held_[at_++ % held_.size()];
    pool_.release(handle);
    handle = pool_.acquire();
    *const_cast<volatile std::uint64_t*>(&pool_.at(handle).words[1]) = at_;
  }

 private:
  AnyPool& pool_;
  std::array<typename AnyPool::Handle, 64> held_;
  std::size_t at_ = 0;
};

template <class AnyPool>
void pair(benchmark::State& state, AnyPool& pool) {
  Pairs<AnyPool> pairs(pool);
  for (auto _ : state) pairs.next();
  state.SetItemsProcessed(state.iterations());
}

template <class AnyPool>
void both(benchmark::State& state, AnyPool& pool) {
  const Pinned pinned(0);
  std::atomic<bool> done{false};
  std::thread other([&] {
    const Pinned pinned_too(1);
    Pairs<AnyPool> pairs(pool);
    while (!done.load(std::memory_order_relaxed)) pairs.next();
  });
  pair(state, pool);
  done.store(true, std::memory_order_relaxed);
  other.join();
}

template <class AnyPool>
void cross(benchmark::State& state, AnyPool& pool) {
  millrace_bench::BlockRing<typename AnyPool::Handle> ring;
  const Pinned pinned(0);
  std::thread consumer([&] {
    const Pinned pinned_too(1);
    ring.consume([&](auto handle) {
      benchmark::DoNotOptimize(pool.at(handle).words[1]);
      pool.release(handle);
    });
  });
  std::uint64_t count = 0;
  for (auto _ : state) {
    const auto handle = pool.acquire();
    *const_cast<volatile std::uint64_t*>(&pool.at(handle).words[1]) = ++count;
    ring.push(handle);
  }
  ring.close();
  consumer.join();
  state.SetItemsProcessed(state.iterations());
}

template <class AnyPool>
void add(const std::string& name, AnyPool& pool) {
  const auto with = [&pool](void (*measure)(benchmark::State&, AnyPool&)) {
    return [&pool, measure](benchmark::State& state) { measure(state, pool); };
  };
  benchmark::RegisterBenchmark(("pair/" + name).c_str(), with(pair<AnyPool>));
  if constexpr (AnyPool::kThreads) {
    benchmark::RegisterBenchmark(("both/" + name).c_str(), with(both<AnyPool>))->UseRealTime();
    benchmark::RegisterBenchmark(("cross/" + name).c_str(), with(cross<AnyPool>))->UseRealTime();
  }
}

}  // namespace

int main(int argc, char** argv) {
  static Pool pool;
  add("object_pool", pool);
#ifdef MILLRACE_BENCH_BOOST
  static BoostPool<NoLock> boost_pool;
  static BoostPool<std::mutex> boost_pool_mutex;
  add("boost::pool", boost_pool);
  add("boost::pool+mutex", boost_pool_mutex);
#endif
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
