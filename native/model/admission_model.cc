// Admission: a key stands in the queue once at most, and no reason to serve it is lost.
#include "checker/weakenings.h"

// After it: what follows is compiled for the checker.
#include "checker/use_checked_atomics.h"
#include "millrace/server/admission.h"

namespace millrace::model {
namespace {

Explorer& checker() { return Explorer::instance(); }
constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kSeqCst = std::memory_order_seq_cst;

// The queue is a word that holds the key or does not. Reasons are told as the class asks for.
template <int kProducers>
struct Stage {
  static constexpr const char* kName = kProducers == 1 ? "one reason" : "two reasons";
  static constexpr int kThreads = kProducers + 1;
  Admission admission;
  std::atomic<std::uint32_t> queue{0};
  std::atomic<std::uint32_t> reasons[kProducers] = {};
  // Of the stage only.
  bool served[kProducers] = {};

  void push() {
    if (queue.exchange(1, kRelaxed) != 0) checker().fail("the key is in the queue twice");
  }

  void run(int thread) {
    if (thread < kProducers) {
      reasons[thread].exchange(1, kSeqCst);
      if (admission.admit()) push();
      return;
    }
    while (!all_served()) {
      // A queue that is never filled again, with a reason unserved, is reported.
      while (queue.load(kRelaxed) == 0) checker().pause();
      queue.exchange(0, kRelaxed);
      admission.begin();
      for (int i = 0; i < kProducers; ++i) {
        if (reasons[i].load(kSeqCst) != 0) served[i] = true;
      }
      if (admission.finish()) push();
    }
  }

  bool all_served() const {
    for (const bool it : served) {
      if (!it) return false;
    }
    return true;
  }
  void finish() {}
};

// A stage whose budget is spent puts the key back itself, while a producer admits it again.
struct Requeue {
  static constexpr const char* kName = "requeue";
  static constexpr int kThreads = 2;
  Admission admission;
  std::atomic<std::uint32_t> queue{0};
  std::atomic<std::uint32_t> reason{0};
  void push() {
    if (queue.exchange(1, kRelaxed) != 0) checker().fail("the key is in the queue twice");
  }
  void run(int thread) {
    if (thread == 0) {
      reason.exchange(1, kSeqCst);
      if (admission.admit()) push();
      return;
    }
    if (queue.load(kRelaxed) == 0) return;
    queue.exchange(0, kRelaxed);
    admission.begin();
    admission.requeue();
    push();
    queue.exchange(0, kRelaxed);
    admission.begin();
    if (reason.load(kSeqCst) == 0) checker().fail("a reason is lost");
    if (admission.finish()) push();
  }
  void finish() {}
};

// Whoever changes the word tells what came before by that, in the one order that changes of a word
// have. What needs an order of its own is the look that changes nothing, because the key is queued
// already: admit()'s load before begin()'s exchange.
TEST(AdmissionModel, WeakerOrdersLoseAReason) {
  Weakenings<Stage<1>, Stage<2>, Requeue>::expect_failures(
      "Admission", {
                       "Admission::admit: failed compare-exchange seq_cst -> acquire",
                       "Admission::admit: read-modify-write seq_cst -> acq_rel",
                       "Admission::finish: failed compare-exchange seq_cst -> acquire",
                       "Admission::finish: read-modify-write seq_cst -> acq_rel",
                       "Admission::requeue: read-modify-write seq_cst -> acq_rel",
                   });
}

}  // namespace
}  // namespace millrace::model
