// The checker on programs whose outcomes are known: what C++20 allows must be found, what it
// forbids must not. Names and outcomes as in Alglave, Maranget and Tautschnig, "Herding Cats",
// TOPLAS 2014.
#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>

#include "use_checked_atomics.h"

namespace millrace::model {
namespace {

using Word = std::atomic<std::uint32_t>;
constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kAcqRel = std::memory_order_acq_rel;
constexpr auto kSeqCst = std::memory_order_seq_cst;

// What the registers of a program held at its end, for all executions.
using Outcomes = std::set<std::string>;

template <class Body>
struct Litmus : Body {
  static inline Outcomes outcomes;
  void finish() { outcomes.insert(Body::registers()); }
};

template <class Body>
Outcomes outcomes_of() {
  Litmus<Body>::outcomes.clear();
  const Result result = Explorer::instance().explore<Litmus<Body>>();
  EXPECT_EQ(result.failure, "");
  return Litmus<Body>::outcomes;
}

struct Registers {
  std::array<std::uint32_t, 4> r{};
  std::string text(int used) const {
    std::string all;
    for (int i = 0; i < used; ++i) all += std::to_string(r[static_cast<std::size_t>(i)]);
    return all;
  }
};

template <std::memory_order kStore, std::memory_order kLoad>
struct StoreBuffering : Registers {
  static constexpr int kThreads = 2;
  Word x{0}, y{0};
  void run(int thread) {
    (thread == 0 ? x : y).store(1, kStore);
    r[std::size_t(thread)] = (thread == 0 ? y : x).load(kLoad);
  }
  std::string registers() { return text(2); }
};

TEST(Litmus, StoreBuffering) {
  const Outcomes all = {"00", "01", "10", "11"};
  EXPECT_EQ((outcomes_of<StoreBuffering<kRelaxed, kRelaxed>>()), all);
  EXPECT_EQ((outcomes_of<StoreBuffering<kRelease, kAcquire>>()), all);
  EXPECT_EQ((outcomes_of<StoreBuffering<kSeqCst, kAcquire>>()), all);
  EXPECT_EQ((outcomes_of<StoreBuffering<kRelease, kSeqCst>>()), all);
  EXPECT_EQ((outcomes_of<StoreBuffering<kSeqCst, kSeqCst>>()), (Outcomes{"01", "10", "11"}));
}

template <std::memory_order kStore, std::memory_order kLoad>
struct MessagePassing : Registers {
  static constexpr int kThreads = 2;
  Word data{0}, flag{0};
  void run(int thread) {
    if (thread == 0) {
      data.store(1, kRelaxed);
      flag.store(1, kStore);
    } else {
      r[0] = flag.load(kLoad);
      r[1] = data.load(kRelaxed);
    }
  }
  std::string registers() { return text(2); }
};

TEST(Litmus, MessagePassing) {
  const Outcomes all = {"00", "01", "10", "11"};
  EXPECT_EQ((outcomes_of<MessagePassing<kRelaxed, kRelaxed>>()), all);
  EXPECT_EQ((outcomes_of<MessagePassing<kRelease, kRelaxed>>()), all);
  EXPECT_EQ((outcomes_of<MessagePassing<kRelaxed, kAcquire>>()), all);
  EXPECT_EQ((outcomes_of<MessagePassing<kRelease, kAcquire>>()), (Outcomes{"00", "01", "11"}));
}

template <std::memory_order kStore, std::memory_order kLoad>
struct LoadBuffering : Registers {
  static constexpr int kThreads = 2;
  Word x{0}, y{0};
  void run(int thread) {
    r[std::size_t(thread)] = (thread == 0 ? x : y).load(kLoad);
    (thread == 0 ? y : x).store(1, kStore);
  }
  std::string registers() { return text(2); }
};

// C++ allows 11 for relaxed operations; the machine makes no such promises, and says so.
TEST(Litmus, LoadBuffering) {
  const Outcomes no_promises = {"00", "01", "10"};
  EXPECT_EQ((outcomes_of<LoadBuffering<kRelaxed, kRelaxed>>()), no_promises);
  EXPECT_EQ((outcomes_of<LoadBuffering<kRelease, kAcquire>>()), no_promises);
}

template <std::memory_order kStore, std::memory_order kLoad>
struct IndependentReads : Registers {
  static constexpr int kThreads = 4;
  Word x{0}, y{0};
  void run(int thread) {
    if (thread < 2) {
      (thread == 0 ? x : y).store(1, kStore);
      return;
    }
    const std::size_t first = thread == 2 ? 0 : 2;
    r[first] = (thread == 2 ? x : y).load(kLoad);
    r[first + 1] = (thread == 2 ? y : x).load(kLoad);
  }
  std::string registers() { return text(4); }
};

TEST(Litmus, IndependentReadsOfIndependentWrites) {
  EXPECT_EQ((outcomes_of<IndependentReads<kRelease, kAcquire>>()).count("1010"), 1u);
  EXPECT_EQ((outcomes_of<IndependentReads<kSeqCst, kAcquire>>()).count("1010"), 1u);
  EXPECT_EQ((outcomes_of<IndependentReads<kSeqCst, kSeqCst>>()).count("1010"), 0u);
  EXPECT_EQ((outcomes_of<IndependentReads<kSeqCst, kSeqCst>>()).size(), 15u);
}

template <std::memory_order kOrder>
struct TwoPlusTwoWrites : Registers {
  static constexpr int kThreads = 2;
  Word x{0}, y{0};
  void run(int thread) {
    (thread == 0 ? x : y).store(1, kOrder);
    (thread == 0 ? y : x).store(2, kOrder);
  }
  std::string registers() { return std::to_string(x.load()) + std::to_string(y.load()); }
};

TEST(Litmus, TwoPlusTwoWrites) {
  const Outcomes all = {"11", "12", "21", "22"};
  EXPECT_EQ((outcomes_of<TwoPlusTwoWrites<kRelaxed>>()), all);
  EXPECT_EQ((outcomes_of<TwoPlusTwoWrites<kRelease>>()), all);
  EXPECT_EQ((outcomes_of<TwoPlusTwoWrites<kSeqCst>>()), (Outcomes{"12", "21", "22"}));
}

struct CoherentReads : Registers {
  static constexpr int kThreads = 2;
  Word x{0};
  void run(int thread) {
    if (thread == 0) {
      x.store(1, kRelaxed);
      x.store(2, kRelaxed);
    } else {
      r[0] = x.load(kRelaxed);
      r[1] = x.load(kRelaxed);
    }
  }
  std::string registers() { return text(2); }
};

TEST(Litmus, CoherenceOfReads) {
  EXPECT_EQ(outcomes_of<CoherentReads>(), (Outcomes{"00", "01", "02", "11", "12", "22"}));
}

struct CoherentWrites : Registers {
  static constexpr int kThreads = 2;
  Word x{0};
  void run(int thread) {
    if (thread == 0) {
      x.store(1, kRelaxed);
      r[0] = x.load(kRelaxed);
    } else {
      x.store(2, kRelaxed);
    }
  }
  std::string registers() { return text(1) + std::to_string(x.load()); }
};

TEST(Litmus, CoherenceOfAReadAfterAWrite) {
  EXPECT_EQ(outcomes_of<CoherentWrites>(), (Outcomes{"11", "12", "22"}));
}

// Write-to-read causality: what one thread acquired it passes on by releasing.
template <std::memory_order kStore, std::memory_order kLoad>
struct Causality : Registers {
  static constexpr int kThreads = 3;
  Word x{0}, y{0};
  void run(int thread) {
    if (thread == 0) {
      x.store(1, kStore);
    } else if (thread == 1) {
      r[0] = x.load(kLoad);
      y.store(1, kStore);
    } else {
      r[1] = y.load(kLoad);
      r[2] = x.load(kRelaxed);
    }
  }
  std::string registers() { return text(3); }
};

TEST(Litmus, WriteToReadCausality) {
  EXPECT_EQ((outcomes_of<Causality<kRelaxed, kRelaxed>>()).count("110"), 1u);
  EXPECT_EQ((outcomes_of<Causality<kRelease, kAcquire>>()).count("110"), 0u);
}

// A read-modify-write continues the release that it read, a store breaks it off.
template <bool kModify>
struct ReleaseSequence : Registers {
  static constexpr int kThreads = 3;
  Word data{0}, flag{0};
  void run(int thread) {
    if (thread == 0) {
      data.store(1, kRelaxed);
      flag.store(1, kRelease);
    } else if (thread == 1) {
      if (flag.load(kRelaxed) != 1) return;
      if (kModify) {
        flag.fetch_add(1, kRelaxed);
      } else {
        flag.store(2, kRelaxed);
      }
    } else {
      r[0] = flag.load(kAcquire);
      r[1] = data.load(kRelaxed);
    }
  }
  std::string registers() { return text(2); }
};

TEST(Litmus, ReleaseSequences) {
  EXPECT_EQ((outcomes_of<ReleaseSequence<true>>()).count("20"), 0u);
  EXPECT_EQ((outcomes_of<ReleaseSequence<true>>()).count("21"), 1u);
  EXPECT_EQ((outcomes_of<ReleaseSequence<false>>()).count("20"), 1u);
}

struct Counting : Registers {
  static constexpr int kThreads = 3;
  Word x{0};
  void run(int) { x.fetch_add(1, kRelaxed); }
  std::string registers() { return std::to_string(x.load()); }
};

struct CountingByExchange : Registers {
  static constexpr int kThreads = 3;
  Word x{0};
  void run(int) {
    std::uint32_t seen = x.load(kRelaxed);
    while (!x.compare_exchange_weak(seen, seen + 1, kRelaxed)) {
    }
  }
  std::string registers() { return std::to_string(x.load()); }
};

TEST(Litmus, ReadModifyWritesAreAtomic) {
  EXPECT_EQ(outcomes_of<Counting>(), (Outcomes{"3"}));
  EXPECT_EQ(outcomes_of<CountingByExchange>(), (Outcomes{"3"}));
}

// Two threads that each exchange a word of their own and then look at the other's.
template <std::memory_order kOrder>
struct Dekker : Registers {
  static constexpr int kThreads = 2;
  Word x{0}, y{0};
  void run(int thread) {
    (thread == 0 ? x : y).exchange(1, kOrder);
    r[std::size_t(thread)] = (thread == 0 ? y : x).load(kOrder == kSeqCst ? kSeqCst : kAcquire);
  }
  std::string registers() { return text(2); }
};

TEST(Litmus, ExchangesOrderOnlyIfSequentiallyConsistent) {
  EXPECT_EQ((outcomes_of<Dekker<kAcqRel>>()).count("00"), 1u);
  EXPECT_EQ((outcomes_of<Dekker<kSeqCst>>()).count("00"), 0u);
}

template <std::memory_order kStore, std::memory_order kLoad>
struct Handover {
  static constexpr int kThreads = 2;
  Plain<std::uint32_t> data{0};
  Word flag{0};
  void run(int thread) {
    if (thread == 0) {
      data.set(1);
      flag.store(1, kStore);
    } else if (flag.load(kLoad) == 1) {
      data.get();
    }
  }
  void finish() {}
};

TEST(Races, AreFoundWhereNothingOrders) {
  Explorer& checker = Explorer::instance();
  EXPECT_TRUE((checker.explore<Handover<kRelease, kAcquire>>()).holds());
  EXPECT_NE((checker.explore<Handover<kRelaxed, kAcquire>>()).failure.find("data race"),
            std::string::npos);
  EXPECT_NE((checker.explore<Handover<kRelease, kRelaxed>>()).failure.find("data race"),
            std::string::npos);
}

// A sleeper that looks before it announces its sleep, and one that announces first.
template <bool kAnnounceFirst>
struct Sleeper {
  static constexpr int kThreads = 2;
  Word work{0}, state{0};
  void run(int thread) {
    if (thread == 0) {
      work.exchange(1, kSeqCst);
      if (state.exchange(0, kSeqCst) == 1) Explorer::instance().futex_wake(&state);
    } else if (kAnnounceFirst) {
      state.exchange(1, kSeqCst);
      if (work.load(kSeqCst) == 0) Explorer::instance().futex_wait(&state, 1);
    } else if (work.load(kSeqCst) == 0) {
      state.exchange(1, kSeqCst);
      Explorer::instance().futex_wait(&state, 1);
    }
  }
  void finish() {}
};

TEST(Sleep, ALostWakeUpIsFound) {
  EXPECT_TRUE(Explorer::instance().explore<Sleeper<true>>().holds());
  EXPECT_EQ(Explorer::instance().explore<Sleeper<false>>().failure, "a thread sleeps for ever");
}

// Waiting in a loop comes to its end although a load may see an old value for long.
struct Spinning {
  static constexpr int kThreads = 2;
  Word flag{0};
  Plain<std::uint32_t> data{0};
  void run(int thread) {
    if (thread == 0) {
      data.set(7);
      flag.store(1, kRelease);
    } else {
      while (flag.load(kAcquire) == 0) Explorer::instance().pause();
      if (data.get() != 7) Explorer::instance().fail("wrong data");
    }
  }
  void finish() {}
};

struct SpinningForNothing {
  static constexpr int kThreads = 2;
  Word flag{0};
  void run(int thread) {
    if (thread == 0) return;
    while (flag.load(kAcquire) == 0) Explorer::instance().pause();
  }
  void finish() {}
};

TEST(Sleep, WaitingInALoopEndsOrIsReported) {
  EXPECT_EQ(Explorer::instance().explore<Spinning>().failure, "");
  EXPECT_EQ(Explorer::instance().explore<SpinningForNothing>().failure, "a thread sleeps for ever");
}

}  // namespace
}  // namespace millrace::model
