#include "millrace/memory/thread_registry.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/base/spin_lock.h"
#include "watchdog.h"

namespace millrace {
namespace {

// Parts are plain counters, which a sanitizer watches: nobody but a part's owner, or whoever has
// suspended the domain, may touch one.
class Counters final : private ThreadRegistry::Domain {
 public:
  explicit Counters(bool use_membarrier = true) { ThreadRegistry::add(*this, use_membarrier); }
  ~Counters() { ThreadRegistry::remove(*this); }

  // False when the thread must do without.
  bool count() {
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    void* part = ThreadRegistry::enter(self, *this);
    if (part == nullptr) part = ThreadRegistry::enter_slow(self, *this, true);
    if (part == nullptr) return false;
    ++static_cast<Part*>(part)->value;
    ThreadRegistry::leave(self);
    return true;
  }

  void take_all() {
    const std::lock_guard guard(lock_);
    ThreadRegistry::suspend(*this);
    for (Part& part : parts_) {
      if (part.busy != nullptr) ThreadRegistry::wait_for(*part.busy);
      taken += std::exchange(part.value, 0);
    }
    for (int look = 0; look < 20; ++look) {
      for (const Part& part : parts_) {
        if (*const_cast<volatile const std::uint64_t*>(&part.value) != 0) ++intruders;
      }
    }
    ThreadRegistry::resume(*this);
  }

  void detach() { ThreadRegistry::detach(*this); }

  // Calls hold() inside.
  template <class Hold>
  void count_slowly(Hold hold) {
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    void* const part = ThreadRegistry::enter_slow(self, *this, true);
    ASSERT_NE(part, nullptr);
    hold();
    ++static_cast<Part*>(part)->value;
    ThreadRegistry::leave(self);
  }
  bool suspended() const { return ThreadRegistry::suspended(*this); }

  int intruders = 0;
  int claimed = 0;
  int given_back = 0;
  std::uint64_t taken = 0;

 private:
  struct Part {
    const ThreadRegistry::Busy* busy = nullptr;
    std::uint64_t value = 0;
  };

  void* claim(const ThreadRegistry::Busy& busy) noexcept override {
    const std::lock_guard guard(lock_);
    for (Part& part : parts_) {
      if (part.busy != nullptr) continue;
      part.busy = &busy;
      ++claimed;
      return &part;
    }
    return nullptr;
  }
  void give_back(void* part) noexcept override {
    const std::lock_guard guard(lock_);
    taken += std::exchange(static_cast<Part*>(part)->value, 0);
    static_cast<Part*>(part)->busy = nullptr;
    ++given_back;
  }

  SpinLock lock_;
  std::array<Part, 4> parts_;
};

TEST(ThreadRegistry, GivesAThreadItsPartAndTakesItBackWhenTheThreadEnds) {
  Counters counters;
  std::thread([&] {
    ASSERT_TRUE(counters.count());
    ASSERT_TRUE(counters.count());
    EXPECT_EQ(counters.claimed, 1);
    EXPECT_EQ(counters.given_back, 0);
  }).join();
  EXPECT_EQ(counters.given_back, 1);
  EXPECT_EQ(counters.taken, 2u);
}

TEST(ThreadRegistry, DomainsMayEndBeforeTheirThreads) {
  std::thread([] {
    for (int i = 0; i < 100; ++i) {
      Counters counters;
      ASSERT_TRUE(counters.count());
      ASSERT_EQ(counters.claimed, 1);
    }
  }).join();
}

TEST(ThreadRegistry, AThreadCanUseMoreDomainsThanItHasEntries) {
  std::vector<std::unique_ptr<Counters>> domains;
  for (int i = 0; i < 40; ++i) domains.push_back(std::make_unique<Counters>());
  std::thread([&] {
    for (int round = 0; round < 10; ++round) {
      for (auto& domain : domains) ASSERT_TRUE(domain->count());
    }
  }).join();
  for (auto& domain : domains) {
    EXPECT_EQ(domain->claimed, domain->given_back);
    EXPECT_EQ(domain->taken, 10u);
  }
}

TEST(ThreadRegistry, ADomainWithoutAPartLeftSaysSo) {
  Counters counters;
  std::latch all_claimed(4);
  std::latch checked(1);
  std::vector<std::thread> threads;
  std::atomic<int> served{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      if (counters.count()) served.fetch_add(1, std::memory_order_relaxed);
      all_claimed.count_down();
      checked.wait();
    });
  }
  all_claimed.wait();
  EXPECT_EQ(served.load(std::memory_order_relaxed), 4);
  EXPECT_FALSE(counters.count());
  checked.count_down();
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(counters.count()) << "a part that was given back can be claimed again";
  counters.detach();
  EXPECT_EQ(counters.claimed, counters.given_back);
}

struct UsesDomainAtItsEnd {
  ~UsesDomainAtItsEnd() { *served = counters->count(); }
  Counters* counters;
  bool* served;
};

TEST(ThreadRegistry, AThreadPastItsEndDoesWithout) {
  Counters counters;
  bool served = true;
  std::thread([&] {
    // Made before the registry's own object of this thread, so destroyed after it.
    static thread_local UsesDomainAtItsEnd last{&counters, &served};
    ASSERT_NE(last.counters, nullptr);
    ASSERT_TRUE(counters.count());
  }).join();
  EXPECT_FALSE(served);
  EXPECT_EQ(counters.claimed, counters.given_back);
}

TEST(ThreadRegistry, ASuspenderWaitsForTheOwnerThatIsInside) {
  Watchdog watchdog("a suspender and one owner");
  Counters counters;
  std::latch inside(1);
  std::atomic<bool> taken{false};
  std::thread owner([&] {
    counters.count_slowly([&] {
      inside.count_down();
      while (!counters.suspended() && !taken.load(std::memory_order_relaxed)) {
        std::this_thread::yield();
      }
      for (int i = 0; i < 1000; ++i) {
        std::this_thread::yield();
        ASSERT_FALSE(taken.load(std::memory_order_relaxed));
      }
    });
  });
  inside.wait();
  counters.take_all();
  taken.store(true, std::memory_order_relaxed);
  // The owner's end looks at what was taken, too.
  owner.join();
  EXPECT_EQ(counters.taken, 1u);
}

void counts_nothing_twice(bool use_membarrier) {
  Watchdog watchdog("threads of a domain that is suspended again and again");
  Counters counters(use_membarrier);
  constexpr int kThreads = 2;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> counted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      std::uint64_t mine = 0;
      while (!stop.load(std::memory_order_relaxed)) {
        mine += counters.count() ? 1 : 0;
        // Mostly outside, or the suspender waits for an owner that has lost its core.
        for (int pause = 0; pause < 100; ++pause) asm volatile("");
      }
      counted.fetch_add(mine, std::memory_order_relaxed);
    });
  }
  for (int i = 0; i < 20'000; ++i) counters.take_all();
  stop.store(true, std::memory_order_relaxed);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counters.intruders, 0);
  EXPECT_EQ(counters.taken, counted.load(std::memory_order_relaxed));
}

TEST(ThreadRegistry, SuspensionKeepsEveryOwnerOut) { counts_nothing_twice(true); }
TEST(ThreadRegistry, SuspensionKeepsEveryOwnerOutWithoutMembarrier) { counts_nothing_twice(false); }

}  // namespace
}  // namespace millrace
