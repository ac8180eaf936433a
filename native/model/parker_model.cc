// Parker: whoever sleeps is woken, however a producer announces its work.
#include "checker/weakenings.h"

// After it: what follows is compiled for the checker.
#include "checker/use_checked_atomics.h"
#include "millrace/base/parker.h"

namespace millrace::model {
namespace {

using Word = std::atomic<std::uint32_t>;
constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kSeqCst = std::memory_order_seq_cst;

// The work itself is published and looked for without any order: unpark() brings it.
struct OneProducer {
  static constexpr const char* kName = "one producer";
  static constexpr int kThreads = 2;
  Parker parker;
  Word work{0};
  void run(int thread) {
    if (thread == 0) {
      work.store(1, kRelaxed);
      parker.unpark();
    } else {
      parker.park([this] { return work.load(kRelaxed) == 1; });
    }
  }
  void finish() {}
};

// Each brings a half. A wake-up for the first must not swallow that for the second.
struct TwoProducers {
  static constexpr const char* kName = "two producers";
  static constexpr int kThreads = 3;
  Parker parker;
  Word work[2] = {{0}, {0}};
  void run(int thread) {
    if (thread < 2) {
      work[thread].store(1, kRelaxed);
      parker.unpark();
    } else {
      parker.park([this] { return work[0].load(kRelaxed) + work[1].load(kRelaxed) == 2; });
    }
  }
  void finish() {}
};

// Sleeps twice: what the first producer left in the word must not be lost when the first park()
// ends by itself.
struct TwoSleeps {
  static constexpr const char* kName = "two sleeps";
  static constexpr int kThreads = 3;
  Parker parker;
  Word work[2] = {{0}, {0}};
  void run(int thread) {
    if (thread < 2) {
      work[thread].store(1, kRelaxed);
      parker.unpark();
      return;
    }
    parker.park([this] { return work[0].load(kRelaxed) == 1; });
    Explorer::instance().begin_call();
    parker.park([this] { return work[1].load(kRelaxed) == 1; });
  }
  void finish() {}
};

// Work that is published by a sequentially consistent exchange.
struct Published {
  static constexpr const char* kName = "unpark_published";
  static constexpr int kThreads = 2;
  Parker parker;
  Word work{0};
  void run(int thread) {
    if (thread == 0) {
      work.exchange(1, kSeqCst);
      parker.unpark_published();
      work.exchange(2, kSeqCst);
      parker.unpark_published();
    } else {
      parker.park([this] { return work.load(kSeqCst) == 2; });
    }
  }
  void finish() {}
};

// unpark() alone needs no more than acquire and release; the exchanges of park() and unpark() are
// sequentially consistent for unpark_published(), and one of the two is enough for these programs.
// What stay_awake() acquires, the next exchange of park() would too: a release sequence goes on
// through it. It is there for the look at the timeout, which comes before that.
TEST(ParkerModel, WeakerOrdersLoseWakeUps) {
  Weakenings<OneProducer, TwoProducers, TwoSleeps, Published>::expect_failures(
      "Parker", {
                    "Parker::unpark: read-modify-write seq_cst -> acq_rel",
                    "Parker::stay_awake: read-modify-write acq_rel -> acquire",
                    "Parker::stay_awake: read-modify-write acq_rel -> release",
                });
}

}  // namespace
}  // namespace millrace::model
