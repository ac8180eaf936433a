// MpmcQueue: every value comes out once, whole, in its producer's order; nobody sleeps beside a
// value; nothing goes in after close().
#include "checker/weakenings.h"

// After it: what follows is compiled for the checker.
#include "checker/use_checked_atomics.h"
#include "millrace/base/parker.h"
#include "millrace/concurrent/mpmc_queue.h"

namespace millrace::model {
namespace {

using Value = Plain<std::uint32_t>;
using Queue = MpmcQueue<Value>;

Explorer& checker() { return Explorer::instance(); }

// A full queue: what is pushed goes into a slot that is being emptied.
struct Laps {
  static constexpr const char* kName = "laps";
  static constexpr int kThreads = 2;
  Queue queue{2, (std::uint64_t{1} << 32) - 1};
  bool pushed = false;
  Laps() {
    queue.try_push(Value(1));
    queue.try_push(Value(2));
  }
  void run(int thread) {
    if (thread == 0) {
      pushed = queue.try_push(Value(3));
      return;
    }
    for (std::uint32_t i = 1; i <= 2; ++i) {
      checker().begin_call();
      Value value;
      if (!queue.try_pop(value) || value.get() != i) checker().fail("out of order");
    }
  }
  void finish() {
    Value value;
    if (queue.try_pop(value) != pushed) checker().fail("a value is lost or doubled");
  }
};

// Two producers that find what they can.
struct Producers {
  static constexpr const char* kName = "two producers";
  static constexpr int kThreads = 3;
  Queue queue{2};
  std::uint32_t found[2] = {};
  void run(int thread) {
    if (thread < 2) {
      queue.try_push(Value(static_cast<std::uint32_t>(thread) + 1));
      return;
    }
    for (std::uint32_t& value : found) {
      checker().begin_call();
      Value taken;
      if (queue.try_pop(taken)) value = taken.get();
    }
  }
  void finish() {
    std::uint32_t sum = found[0] + found[1];
    for (Value rest; queue.try_pop(rest);) sum += rest.get();
    if (sum != 3) checker().fail("a value is lost or doubled");
  }
};

struct Consumers {
  static constexpr const char* kName = "two consumers";
  static constexpr int kThreads = 3;
  Queue queue{2};
  std::uint32_t found[2] = {};
  void run(int thread) {
    if (thread == 2) {
      queue.try_push(Value(1));
      checker().begin_call();
      queue.try_push(Value(2));
      return;
    }
    Value taken;
    if (queue.try_pop(taken)) found[thread] = taken.get();
  }
  void finish() {
    std::uint32_t sum = found[0] + found[1];
    for (Value rest; queue.try_pop(rest);) sum += rest.get();
    if (sum != 3) checker().fail("a value is lost or doubled");
  }
};

struct Batches {
  static constexpr const char* kName = "batches";
  static constexpr int kThreads = 2;
  Queue queue{2};
  std::uint32_t found = 0;
  std::uint32_t pushed = 0;
  void run(int thread) {
    if (thread == 0) {
      for (int i = 0; i < 2; ++i) {
        checker().begin_call();
        const Value values[] = {Value(2 * i + 1), Value(2 * i + 2)};
        pushed += queue.try_push_many(values);
      }
      return;
    }
    for (int i = 0; i < 2; ++i) {
      checker().begin_call();
      Value out[2];
      const std::uint32_t count = queue.try_pop_many(out);
      for (std::uint32_t at = 0; at < count; ++at) {
        if (out[at].get() == 0) checker().fail("an empty slot");
        ++found;
      }
    }
  }
  void finish() {
    for (Value rest; queue.try_pop(rest);) ++found;
    if (found != pushed) checker().fail("a value is lost or doubled");
  }
};

// A consumer that sleeps until can_pop() || closed(), as the queue says it should.
struct Asleep {
  static constexpr const char* kName = "a consumer asleep";
  static constexpr int kThreads = 2;
  Queue queue{2};
  Parker parker;
  bool found = false;
  void run(int thread) {
    if (thread == 0) {
      queue.try_push(Value(1));
      parker.unpark();
      checker().begin_call();
      queue.close();
      parker.unpark();
      return;
    }
    do {
      checker().begin_call();
      parker.park([this] { return queue.can_pop() || queue.closed(); });
      checker().begin_call();
      Value value;
      if (queue.try_pop(value)) found = value.get() == 1;
    } while (!queue.drained());
  }
  void finish() {
    if (!found) checker().fail("ended before its value came out");
  }
};

// What a thread did before it closed the queue is there for those who see it closed or drained.
template <bool kDrained>
struct Closed {
  static constexpr const char* kName = kDrained ? "drained" : "closed";
  static constexpr int kThreads = 3;
  Queue queue{2};
  Value last_words;
  bool pushed = false;
  void run(int thread) {
    if (thread == 0) {
      last_words.set(1);
      queue.close();
    } else if (thread == 1) {
      pushed = queue.try_push(Value(1));
    } else if (kDrained ? queue.drained() : queue.closed()) {
      last_words.get();
      checker().begin_call();
      if (queue.try_push(Value(2))) checker().fail("pushed after it was closed");
    }
  }
  void finish() {
    Value value;
    if (queue.try_pop(value) != pushed) checker().fail("a value is lost or doubled");
    if (!queue.drained()) checker().fail("closed and empty, and not drained");
  }
};

// Claims may be relaxed: the slots' sequences order the values. close() is sequentially consistent
// for consumers that look at it between an announcement and a sleep, which Parker's exchanges order
// too.
TEST(MpmcQueueModel, WeakerOrdersTearOrSleep) {
  using All = Weakenings<Laps, Consumers, Batches, Asleep, Closed<false>, Closed<true>, Producers>;
  All::expect_failures("MpmcQueue", {"MpmcQueue::close: read-modify-write seq_cst -> acq_rel"});
}

}  // namespace
}  // namespace millrace::model
