#include <benchmark/benchmark.h>

#include <cstdint>

#include "hand_over.h"
#include "millrace/concurrent/mpmc_queue.h"

#if __has_include(<concurrentqueue/concurrentqueue.h>)
#include <concurrentqueue/concurrentqueue.h>
#define MILLRACE_HAS_CONCURRENTQUEUE
#elif __has_include(<concurrentqueue/moodycamel/concurrentqueue.h>)
#include <concurrentqueue/moodycamel/concurrentqueue.h>
#define MILLRACE_HAS_CONCURRENTQUEUE
#endif
#if __has_include(<boost/lockfree/queue.hpp>)
#include <boost/lockfree/queue.hpp>
#define MILLRACE_HAS_BOOST
#endif
#if __has_include(<tbb/concurrent_queue.h>)
#include <tbb/concurrent_queue.h>
#define MILLRACE_HAS_TBB
#endif

namespace millrace_bench {
namespace {

using Word = std::uint64_t;

// A queue that is the same to everybody.
template <class Side>
struct AnySide {
  explicit AnySide(std::uint32_t) {}
  Side& make_producer() { return side; }
  Side& make_consumer() { return side; }
  Side side;
};

struct Ours {
  std::uint32_t push(const Word* values, std::uint32_t count) {
    return queue.try_push_many({values, count});
  }
  std::uint32_t pop(Word* values, std::uint32_t count) {
    return queue.try_pop_many({values, count});
  }
  millrace::MpmcQueue<Word> queue{kCapacity};
};

#ifdef MILLRACE_HAS_CONCURRENTQUEUE
struct Moodycamel {
  using Queue = moodycamel::ConcurrentQueue<Word>;
  struct Producer {
    std::uint32_t push(const Word* values, std::uint32_t count) {
      if (count == 1) return queue.try_enqueue(token, *values);
      return queue.try_enqueue_bulk(token, values, count) ? count : 0;
    }
    Queue& queue;
    moodycamel::ProducerToken token{queue};
  };
  struct Consumer {
    std::uint32_t pop(Word* values, std::uint32_t count) {
      if (count == 1) return queue.try_dequeue(token, *values);
      return static_cast<std::uint32_t>(queue.try_dequeue_bulk(token, values, count));
    }
    Queue& queue;
    moodycamel::ConsumerToken token{queue};
  };
  explicit Moodycamel(std::uint32_t producers) : queue(kCapacity, producers, 0) {}
  Producer make_producer() { return {queue}; }
  Consumer make_consumer() { return {queue}; }
  Queue queue;
};
#endif

#ifdef MILLRACE_HAS_BOOST
struct Boost {
  std::uint32_t push(const Word* values, std::uint32_t count) {
    return one_by_one(values, count, [this](Word value) { return queue.bounded_push(value); });
  }
  std::uint32_t pop(Word* values, std::uint32_t count) {
    return one_by_one(values, count, [this](Word& value) { return queue.pop(value); });
  }
  boost::lockfree::queue<Word> queue{kCapacity};
};
#endif

#ifdef MILLRACE_HAS_TBB
struct Tbb {
  Tbb() { queue.set_capacity(kCapacity); }
  std::uint32_t push(const Word* values, std::uint32_t count) {
    return one_by_one(values, count, [this](Word value) { return queue.try_push(value); });
  }
  std::uint32_t pop(Word* values, std::uint32_t count) {
    return one_by_one(values, count, [this](Word& value) { return queue.try_pop(value); });
  }
  tbb::concurrent_bounded_queue<Word> queue;
};
#endif

void add(const char* name, void (*body)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name, body)
      ->Args({1, 1})
      ->Args({2, 1})
      ->Args({1, 32})
      ->UseRealTime()
      ->MinTime(0.05);
}

const bool kAdded = [] {
  add("ours", &hand_over<AnySide<Ours>>);
#ifdef MILLRACE_HAS_CONCURRENTQUEUE
  add("moodycamel", &hand_over<Moodycamel>);
#endif
#ifdef MILLRACE_HAS_BOOST
  add("boost", &hand_over<AnySide<Boost>>);
#endif
#ifdef MILLRACE_HAS_TBB
  add("tbb", &hand_over<AnySide<Tbb>>);
#endif
  return true;
}();

}  // namespace
}  // namespace millrace_bench
