// Tasks of millrace::ThreadPool beside those of oneTBB, where it is installed (libtbb-dev), and of
// BS::thread_pool, where its header is found: MILLRACE_BENCH_HEADERS=FOLDER when this is built.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <future>
#include <vector>

#include "millrace/concurrent/thread_pool.h"

#if __has_include(<tbb/task_arena.h>)
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#define MILLRACE_BENCH_TBB 1
#endif
#if __has_include(<BS_thread_pool.hpp>)
#include <BS_thread_pool.hpp>
#define MILLRACE_BENCH_BS 1
#endif

namespace millrace {
namespace {

constexpr int kThreads = 2;
constexpr int kTasks = 1 << 15;
// Futures that are held before they are waited for.
constexpr int kFutures = 1 << 10;

// Each contender runs kTasks tasks that do nothing but count, and waits until the last has.
class Countdown {
 public:
  void start(int count) { left_.store(count, std::memory_order_relaxed); }
  void count() {
    // Release: pairs with the acquire in wait().
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_all();
  }
  void wait() {
    for (int left = left_.load(std::memory_order_acquire); left > 0;
         left = left_.load(std::memory_order_acquire)) {
      left_.wait(left, std::memory_order_acquire);
    }
  }

 private:
  std::atomic<int> left_{0};
};

template <class Post>
void trivial(benchmark::State& state, Post post) {
  Countdown countdown;
  for (auto _ : state) {
    countdown.start(kTasks);
    for (int i = 0; i < kTasks; ++i) post([&countdown] { countdown.count(); });
    countdown.wait();
  }
}

template <class Submit>
void futures(benchmark::State& state, Submit submit) {
  std::vector<std::future<int>> pending;
  pending.reserve(kFutures);
  for (auto _ : state) {
    for (int i = 0; i < kFutures; ++i) pending.push_back(submit([i] { return i; }));
    for (std::future<int>& one : pending) benchmark::DoNotOptimize(one.get());
    pending.clear();
  }
}

void trivial_millrace(benchmark::State& state) {
  ThreadPool pool(kThreads);
  trivial(state, [&pool](auto task) { pool.post(task); });
}
BENCHMARK(trivial_millrace)->UseRealTime();

void futures_millrace(benchmark::State& state) {
  ThreadPool pool(kThreads);
  futures(state, [&pool](auto task) { return pool.enqueue(task); });
}
BENCHMARK(futures_millrace)->UseRealTime();

#ifdef MILLRACE_BENCH_BS
void trivial_bs(benchmark::State& state) {
  BS::thread_pool pool(kThreads);
  trivial(state, [&pool](auto task) { pool.detach_task(task); });
}
BENCHMARK(trivial_bs)->UseRealTime();

void futures_bs(benchmark::State& state) {
  BS::thread_pool pool(kThreads);
  futures(state, [&pool](auto task) { return pool.submit_task(task); });
}
BENCHMARK(futures_bs)->UseRealTime();
#endif

#ifdef MILLRACE_BENCH_TBB
void trivial_tbb(benchmark::State& state) {
  // As many workers as ours, beside the thread that submits.
  tbb::task_arena arena(kThreads + 1, 1);
  tbb::task_group group;
  trivial(state, [&](auto task) { arena.enqueue(task); });
}
BENCHMARK(trivial_tbb)->UseRealTime();
#endif

}  // namespace
}  // namespace millrace
