// The object pool beside boost::pool (which locks nothing: what one thread alone can have) and
// boost::pool behind a mutex: pairs of acquire and release on one thread, and objects that one
// thread acquires and another releases.
//   object_pool_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#if __has_include(<boost/pool/pool.hpp>)
#include <boost/pool/pool.hpp>
#define MILLRACE_BENCH_BOOST 1
#endif

#include "block_ring.h"
#include "millrace/memory/object_pool.h"

namespace {

struct Record {
  std::uint64_t words[16];
};

class Pool {
 public:
  using Handle = std::uint32_t;
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

template <class AnyPool>
void pair(benchmark::State& state, AnyPool& pool) {
  std::array<typename AnyPool::Handle, 64> held;
  for (auto& handle : held) handle = pool.acquire();
  std::size_t at = 0;
  for (auto _ : state) {
    auto& handle = held[at++ % held.size()];
    pool.release(handle);
    handle = pool.acquire();
    *const_cast<volatile std::uint64_t*>(&pool.at(handle).words[1]) = at;
  }
  for (auto& handle : held) pool.release(handle);
  state.SetItemsProcessed(state.iterations());
}

template <class AnyPool>
void cross(benchmark::State& state, AnyPool& pool) {
  millrace_bench::BlockRing<typename AnyPool::Handle> ring;
  std::thread consumer([&] {
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
void add_pair(const std::string& name, AnyPool& pool) {
  benchmark::RegisterBenchmark(("pair/" + name).c_str(),
                               [&pool](benchmark::State& state) { pair(state, pool); });
}

template <class AnyPool>
void add_cross(const std::string& name, AnyPool& pool) {
  benchmark::RegisterBenchmark(("cross/" + name).c_str(), [&pool](benchmark::State& state) {
    cross(state, pool);
  })->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
  static Pool pool;
  add_pair("object_pool", pool);
  add_cross("object_pool", pool);
#ifdef MILLRACE_BENCH_BOOST
  static BoostPool<NoLock> boost_pool;
  static BoostPool<std::mutex> boost_pool_mutex;
  add_pair("boost::pool", boost_pool);
  add_pair("boost::pool+mutex", boost_pool_mutex);
  add_cross("boost::pool+mutex", boost_pool_mutex);
#endif
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
