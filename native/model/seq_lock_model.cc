// SeqLock and SpinLock: readers discard what writers were in the middle of, writers exclude each
// other.
#include "checker/weakenings.h"

// After it: what follows is compiled for the checker.
#include "checker/use_checked_atomics.h"
#include "millrace/base/spin_lock.h"
#include "millrace/concurrent/seq_lock.h"

namespace millrace::model {
namespace {

Explorer& checker() { return Explorer::instance(); }
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

// As the class asks for: stores release, loads acquire.
struct Reading {
  static constexpr const char* kName = "two words, read";
  static constexpr int kThreads = 2;
  SeqLock lock;
  std::atomic<std::uint32_t> words[2] = {{0}, {0}};
  void run(int thread) {
    if (thread == 0) {
      for (std::uint32_t value = 1; value <= 2; ++value) {
        checker().begin_call();
        lock.lock();
        words[0].store(value, kRelease);
        words[1].store(value, kRelease);
        lock.unlock();
      }
      return;
    }
    const std::uint64_t begun = lock.read_begin();
    const std::uint32_t first = words[0].load(kAcquire);
    const std::uint32_t second = words[1].load(kAcquire);
    if (lock.read_valid(begun) && first != second) checker().fail("a torn read counts as valid");
  }
  void finish() {}
};

// What was written before a valid read's section was there: published by the lock alone.
struct Publishing {
  static constexpr const char* kName = "what the section published";
  static constexpr int kThreads = 2;
  SeqLock lock;
  Plain<std::uint32_t> data{0};
  void run(int thread) {
    if (thread == 0) {
      data.set(1);
      lock.lock();
      lock.unlock();
    } else if (lock.read_begin() != 0) {
      data.get();
    }
  }
  void finish() {}
};

struct Writing {
  static constexpr const char* kName = "two writers";
  static constexpr int kThreads = 2;
  SeqLock lock;
  Plain<std::uint32_t> data{0};
  void run(int thread) {
    for (int i = 0; i <= thread; ++i) {
      checker().begin_call();
      lock.lock();
      data.set(data.get() + 1);
      lock.unlock();
    }
  }
  void finish() {
    if (data.get() != 3) checker().fail("a write is lost");
  }
};

template <bool kTry>
struct Spinning {
  static constexpr const char* kName = kTry ? "lock and try_lock" : "two locks";
  static constexpr int kThreads = 2;
  SpinLock lock;
  Plain<std::uint32_t> data{0};
  void run(int thread) {
    if (kTry && thread == 1) {
      if (!lock.try_lock()) return;
    } else {
      lock.lock();
    }
    data.set(data.get() + 1);
    lock.unlock();
  }
  void finish() {
    if (data.get() < (kTry ? 1u : 2u)) checker().fail("a write is lost");
  }
};

TEST(SeqLockModel, WeakerOrdersTear) {
  Weakenings<Reading, Publishing, Writing>::expect_failures("SeqLock", {});
}

TEST(SpinLockModel, WeakerOrdersDoNotExclude) {
  Weakenings<Spinning<false>, Spinning<true>>::expect_failures("SpinLock", {});
}

}  // namespace
}  // namespace millrace::model
