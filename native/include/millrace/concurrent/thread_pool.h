#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/base/cache_line.h"
#include "millrace/concurrent/task_ring.h"

namespace millrace {

// What ThreadPool throws after stop().
class ThreadPoolStopped : public std::runtime_error {
 public:
  ThreadPoolStopped()
      : std::runtime_error("millrace::ThreadPool takes no tasks after stop(): enqueue before it") {}
};

// Threads that run callables, for addons of your own: unlike the rest of the core, this header
// needs exceptions. Any thread may enqueue, also a task; stop() and the destructor are for the
// owner, and never for a task. Owns its threads and a ring of `capacity` tasks; the destructor runs
// what is queued and joins. A task costs no allocation here (a std::future costs two), and a
// wake-up only when no thread is awake and looking; idle threads use no CPU.
//
//   millrace::ThreadPool pool(2);
//   std::future<int> sum = pool.enqueue([](int a, int b) { return a + b; }, 1, 2);
//   sum.get();
//
// At most one thread is being woken at a time (as Go's scheduler does): it wakes the next one if it
// finds more than one task. So a burst costs its producer one system call, not one a task.
class ThreadPool {
 public:
  // `threads` – 1 to 1024; 0: as many as there are processors. `capacity` – tasks that may wait,
  // rounded up to a power of two, 2 to 2^24.
  explicit ThreadPool(unsigned threads = 0, std::uint32_t capacity = 4096)
      : ring_(checked("capacity", capacity, 1, 1u << 24)) {
    if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
    checked("threads", threads, 1, 1024);
    // Until it has looked for the first time, each thread counts as looking.
    idle_.store(threads * kSearcher, std::memory_order_relaxed);
    threads_.reserve(threads);
    try {
      for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      join();
      throw;
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() { join(); }

  // Calls function(arguments…), copies of both, on some thread; the future has what it returns or
  // throws. Waits while the ring is full; on a thread of this pool, which might wait for itself, it
  // is called at once instead. Throws ThreadPoolStopped after stop(), and std::bad_alloc.
  template <class F, class... Arguments>
  auto enqueue(F&& function, Arguments&&... arguments)
      -> std::future<std::invoke_result_t<std::decay_t<F>, std::decay_t<Arguments>...>> {
    using Result = std::invoke_result_t<std::decay_t<F>, std::decay_t<Arguments>...>;
    std::promise<Result> promise;
    std::future<Result> future = promise.get_future();
    push([promise = std::move(promise), function = std::decay_t<F>(std::forward<F>(function)),
          given = std::tuple<std::decay_t<Arguments>...>(
              std::forward<Arguments>(arguments)...)]() mutable {
      try {
        if constexpr (std::is_void_v<Result>) {
          std::apply(std::move(function), std::move(given));
          promise.set_value();
        } else {
          promise.set_value(std::apply(std::move(function), std::move(given)));
        }
      } catch (...) {
        promise.set_exception(std::current_exception());
      }
    });
    return future;
  }

  // As enqueue(), without a future: what the callable throws ends the process (std::terminate).
  template <class F>
  void post(F&& function) {
    push(
        [function = std::decay_t<F>(std::forward<F>(function))]() mutable noexcept { function(); });
  }

  // From here on nothing is taken; what has been taken runs. Idempotent.
  void stop() {
    ring_.close();
    const std::lock_guard guard(lock_);
    wakes_.notify_all();
    room_.notify_all();
  }

  unsigned threads() const noexcept { return static_cast<unsigned>(threads_.size()); }
  std::uint32_t capacity() const noexcept { return ring_.capacity(); }

 private:
  // One word: threads that sleep (low half), threads that are awake and look for a task (high).
  static constexpr std::uint32_t kSleeper = 1;
  static constexpr std::uint32_t kSearcher = 1u << 16;
  static constexpr std::uint32_t sleepers(std::uint32_t idle) { return idle & (kSearcher - 1); }
  static constexpr std::uint32_t searchers(std::uint32_t idle) { return idle >> 16; }
  // Looks at the ring before a thread sleeps. Only pauses: measured on two processors, a thread
  // that yields instead keeps the producer from running, and costs more than the sleep it saves.
  static constexpr int kPauses = 400;

  static std::uint32_t checked(const char* name, std::uint32_t value, std::uint32_t least,
                               std::uint32_t most) {
    if (value >= least && value <= most) return value;
    throw std::out_of_range(std::string("millrace::ThreadPool: ") + name + " must be from " +
                            std::to_string(least) + " to " + std::to_string(most) + ", is " +
                            std::to_string(value));
  }

  template <class F>
  void push(F&& function) {
    // Before a slot is claimed: what this throws leaves none behind that is never filled.
    RingTask task;
    task.emplace(std::forward<F>(function));
    for (;;) {
      switch (ring_.try_push(task)) {
        case TaskRing::Push::kDone:
          wake_if_needed();
          return;
        case TaskRing::Push::kClosed:
          throw ThreadPoolStopped();
        case TaskRing::Push::kFull:
          if (current() == this) {
            task.run();
            return;
          }
          wait_for_room();
      }
    }
  }

  // After a push, which was a seq_cst read-modify-write.
  void wake_if_needed() {
    // Seq_cst: pairs with the read-modify-writes in work(). A thread that stops looking, or goes to
    // sleep, looks at the ring once more after it has said so.
    std::uint32_t idle = idle_.load(std::memory_order_seq_cst);
    while (searchers(idle) == 0 && sleepers(idle) > 0) {
      // The one that is woken counts as looking from now on, so that nobody wakes another.
      if (!idle_.compare_exchange_weak(idle, idle - kSleeper + kSearcher, std::memory_order_seq_cst,
                                       std::memory_order_seq_cst)) {
        continue;
      }
      {
        const std::lock_guard guard(lock_);
        ++tokens_;
      }
      wakes_.notify_one();
      return;
    }
  }

  void work() {
    current() = this;
    bool searching = true;
    RingTask task;
    for (;;) {
      if (find(task, searching)) {
        if (std::exchange(searching, false)) {
          // Seq_cst: pairs with the load in wake_if_needed().
          const std::uint32_t idle = idle_.fetch_sub(kSearcher, std::memory_order_seq_cst);
          if (searchers(idle) == 1 && ring_.can_pop()) wake_if_needed();
        }
        tell_room();
        task.run();
      } else if (ring_.drained()) {
        if (searching) idle_.fetch_sub(kSearcher, std::memory_order_seq_cst);
        return;
      } else {
        sleep();
        searching = true;
      }
    }
  }

  bool find(RingTask& task, bool& searching) {
    if (ring_.try_pop(task)) return true;
    if (!std::exchange(searching, true)) idle_.fetch_add(kSearcher, std::memory_order_seq_cst);
    // One that looks is enough: it wakes another if it finds more than it can do.
    if (searchers(idle_.load(std::memory_order_relaxed)) > 1) return false;
    for (int i = 0; i < kPauses; ++i) {
      cpu_relax();
      if (ring_.try_pop(task)) return true;
    }
    return false;
  }

  // Of a thread that counts as looking; it does again when it returns.
  void sleep() {
    // Seq_cst: pairs with the load in wake_if_needed(); from here on a push wakes.
    idle_.fetch_add(kSleeper - kSearcher, std::memory_order_seq_cst);
    if (ring_.can_pop() || ring_.closed()) {
      // Unless somebody has woken a thread for it by now: then there is a token, for one of us.
      std::uint32_t idle = idle_.load(std::memory_order_relaxed);
      while (sleepers(idle) > 0) {
        if (idle_.compare_exchange_weak(idle, idle - kSleeper + kSearcher,
                                        std::memory_order_seq_cst, std::memory_order_relaxed)) {
          return;
        }
      }
    }
    std::unique_lock guard(lock_);
    wakes_.wait(guard, [this] { return tokens_ > 0 || ring_.closed(); });
    // Without one the ring is closed: nobody sleeps any more, so the counts do not matter.
    if (tokens_ > 0) --tokens_;
  }

  void wait_for_room() {
    // Seq_cst: pairs with the load in tell_room().
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    {
      std::unique_lock guard(lock_);
      room_.wait(guard, [this] { return ring_.can_push(); });
    }
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }

  // After a pop, which was a seq_cst read-modify-write.
  void tell_room() {
    // Seq_cst: pairs with the addition in wait_for_room(), after which the ring is looked at again.
    if (waiting_.load(std::memory_order_seq_cst) == 0) return;
    // Taken and given back: a producer is either before its look at the ring, or waits.
    { const std::lock_guard guard(lock_); }
    room_.notify_one();
  }

  void join() {
    stop();
    for (std::thread& thread : threads_) thread.join();
  }

  // The pool whose thread this is.
  static ThreadPool*& current() {
    static thread_local ThreadPool* pool = nullptr;
    return pool;
  }

  TaskRing ring_;
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> idle_{0};
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> waiting_{0};
  std::mutex lock_;
  std::condition_variable wakes_;
  std::condition_variable room_;
  // Threads woken that have not noticed yet. Under lock_.
  std::uint32_t tokens_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace millrace
