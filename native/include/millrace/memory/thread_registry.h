#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "millrace/base/spin_lock.h"

namespace millrace {

// Gives each thread its own part of a shared object ("domain"), such as its cache of a slab, to be
// used without a lock. The part is given back when the thread ends, if the domain still lives, and
// not otherwise: threads and domains may end in any order. And a domain may suspend its threads:
// then nobody uses a part, and its contents can be taken away.
// Any thread may call anything (with its own self()), but of one domain's suspend, wait_for and
// resume one at a time (the caller locks). The only state of the process is a list of live domains,
// which needs no destructor; each thread has 16 entries. enter() and leave() cost a few plain loads
// and stores; the first enter_slow() of a thread takes a lock; suspend() is a system call of 1-2
// us.
//
// A domain is known by a serial number that is never used again, so an entry of a domain that is
// gone can stay behind: it never matches.
//
// Entering is a lock without locked instructions. Owner: sets busy, then looks at the domain's key.
// Suspender: changes the key, then looks at busy. Of two such threads one must see the other, for
// which each needs a full barrier between its store and its load; membarrier(2) executes the
// owners' half on every core that runs a thread of ours. Where the kernel has no membarrier the key
// never matches, and enter_slow() brings a barrier of its own.
class ThreadRegistry {
  // The key of a domain that cannot be entered by the fast path. Serials start at 1.
  static constexpr std::uint64_t kNoKey = ~std::uint64_t{0};

 public:
  using Busy = std::atomic<std::uint32_t>;

  // What the registry knows of a thread.
  class Thread;

  class Domain {
   protected:
    ~Domain() = default;

   private:
    friend class ThreadRegistry;
    // A part for the calling thread, or nullptr when there is none left. `busy` is not 0 while the
    // thread is inside, and lives until the part is given back. REQUIRES of both: quick, and no
    // call into the registry.
    virtual void* claim(const Busy& busy) noexcept = 0;
    virtual void give_back(void* part) noexcept = 0;

    std::atomic<std::uint64_t> key_{kNoKey};  // serial_, or kNoKey
    std::atomic<bool> suspended_{false};
    bool membarrier_ = false;
    std::uint64_t serial_ = 0;
    Domain* next_ = nullptr;
  };

  static void add(Domain& domain, bool use_membarrier) noexcept {
    domain.membarrier_ = use_membarrier && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    std::lock_guard guard(live_.lock);
    domain.serial_ = ++live_.last_serial;
    domain.next_ = std::exchange(live_.first, &domain);
    resume(domain);
  }

  // Returns when no ending thread can call the domain any more. Its parts are not given back.
  // REQUIRES: no thread is inside, or enters any more.
  static void remove(Domain& domain) noexcept {
    std::lock_guard guard(live_.lock);
    for (Domain** link = &live_.first; *link != nullptr; link = &(*link)->next_) {
      if (*link != &domain) continue;
      *link = domain.next_;
      break;
    }
    domain.key_.store(kNoKey, std::memory_order_relaxed);
  }

  // The calling thread. To be asked for once an operation: inside a shared library it is a call.
  static Thread& self() noexcept;

  // This thread's part, to be used until leave(): no other domain may be entered until then.
  // nullptr when enter_slow() is called for.
  static void* enter(Thread& self, const Domain& domain) noexcept;

  // As enter(), for every case: the thread has no part yet (it claims one if it may), or used
  // another domain last. nullptr when the domain is suspended or has no part left, or when the
  // thread is past the destruction of its thread-local objects: do without.
  static void* enter_slow(Thread& self, Domain& domain, bool may_claim) noexcept;

  static void leave(Thread& self) noexcept;

  // Gives this thread's part back now.
  static void detach(Domain& domain) noexcept;

  static bool suspended(const Domain& domain) noexcept {
    return domain.suspended_.load(std::memory_order_relaxed);
  }

  // From here on no thread enters. Those that are inside are waited for one by one, by wait_for().
  static void suspend(Domain& domain) noexcept {
    domain.key_.store(kNoKey, std::memory_order_relaxed);
    // Seq_cst: pairs with the load in enter_slow().
    domain.suspended_.exchange(true, std::memory_order_seq_cst);
    if (domain.membarrier_) membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  }

  // After suspend(): waits until the owner of this word is outside.
  static void wait_for(const Busy& busy) noexcept {
    SpinBackoff backoff;
    // Seq_cst: pairs with the exchange in enter_slow(), and acquire: with the release in leave().
    while (busy.load(std::memory_order_seq_cst) != 0) backoff.pause();
  }

  static void resume(Domain& domain) noexcept {
    // Release, both: pair with the loads in enter() and enter_slow().
    domain.suspended_.store(false, std::memory_order_release);
    if (domain.membarrier_) domain.key_.store(domain.serial_, std::memory_order_release);
  }

 private:
  struct Entry {
    std::uint64_t serial;
    void* part;
  };

  struct Live {
    SpinLock lock;
    Domain* first;
    std::uint64_t last_serial;
  };

  class ThreadEnd;

  static void* find_or_claim(Thread& self, Domain& domain, bool may_claim) noexcept;

  // REQUIRES of the following: the lock is held.
  static Domain* living(std::uint64_t serial) noexcept {
    Domain* domain = live_.first;
    while (domain != nullptr && domain->serial_ != serial) domain = domain->next_;
    return domain;
  }
  static void release(Thread& self, Entry& entry) noexcept;
  static Entry& spare_entry(Thread& self) noexcept;

  static bool membarrier(int command) noexcept {
    return ::syscall(SYS_membarrier, command, 0, 0) == 0;
  }

  static inline constinit Live live_{};
};

// One of them lies in each thread; needs no destructor.
class ThreadRegistry::Thread {
  friend class ThreadRegistry;
  static constexpr std::size_t kEntries = 16;

  Busy busy{0};
  bool ended = false;
  Entry last{};  // a copy of the entry that was used last
  std::array<Entry, kEntries> entries{};

  static thread_local Thread current;
};

inline constinit thread_local ThreadRegistry::Thread ThreadRegistry::Thread::current{};

class ThreadRegistry::ThreadEnd {
 public:
  explicit ThreadEnd(Thread& self) : self_(self) {}
  ~ThreadEnd() {
    self_.ended = true;
    std::lock_guard guard(live_.lock);
    for (Entry& entry : self_.entries) release(self_, entry);
  }

 private:
  Thread& self_;
};

inline ThreadRegistry::Thread& ThreadRegistry::self() noexcept {
  Thread* thread = &Thread::current;
  // Or the compiler, which takes the address for a constant, asks for it at every use.
  asm("" : "+r"(thread));
  return *thread;
}

inline void* ThreadRegistry::enter(Thread& self, const Domain& domain) noexcept {
  self.busy.store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // Acquire: pairs with the release in resume(), so that the owner sees its part as the suspender
  // left it.
  if (self.last.serial == domain.key_.load(std::memory_order_acquire)) [[likely]] {
    if (self.last.part == nullptr) __builtin_unreachable();
    return self.last.part;
  }
  leave(self);
  return nullptr;
}

inline void* ThreadRegistry::enter_slow(Thread& self, Domain& domain, bool may_claim) noexcept {
  void* const part = find_or_claim(self, domain, may_claim);
  if (part == nullptr) return nullptr;
  // Seq_cst, both: pair with the exchange in suspend() and the load in wait_for().
  self.busy.exchange(1, std::memory_order_seq_cst);
  if (!domain.suspended_.load(std::memory_order_seq_cst)) return part;
  leave(self);
  return nullptr;
}

// Release: pairs with the acquire in wait_for().
inline void ThreadRegistry::leave(Thread& self) noexcept {
  self.busy.store(0, std::memory_order_release);
}

inline void ThreadRegistry::detach(Domain& domain) noexcept {
  Thread& self = ThreadRegistry::self();
  for (Entry& entry : self.entries) {
    if (entry.part == nullptr || entry.serial != domain.serial_) continue;
    std::lock_guard guard(live_.lock);
    release(self, entry);
  }
}

[[gnu::noinline]] inline void* ThreadRegistry::find_or_claim(Thread& self, Domain& domain,
                                                             bool may_claim) noexcept {
  for (const Entry& entry : self.entries) {
    if (entry.part != nullptr && entry.serial == domain.serial_) return (self.last = entry).part;
  }
  if (self.ended || !may_claim) return nullptr;
  // Its destructor runs when this thread ends.
  static thread_local ThreadEnd thread_end(self);
  std::lock_guard guard(live_.lock);
  void* const part = domain.claim(self.busy);
  if (part == nullptr) return nullptr;
  self.last = spare_entry(self) = Entry{domain.serial_, part};
  return part;
}

inline void ThreadRegistry::release(Thread& self, Entry& entry) noexcept {
  const Entry old = std::exchange(entry, Entry{});
  if (self.last.serial == old.serial) self.last = Entry{};
  if (Domain* const domain = living(old.serial)) domain->give_back(old.part);
}

// An unused entry, or one of a domain that is gone. A thread that uses more domains at a time than
// it has entries gives the part of one of them back.
inline ThreadRegistry::Entry& ThreadRegistry::spare_entry(Thread& self) noexcept {
  for (Entry& entry : self.entries) {
    if (living(entry.serial) == nullptr) return entry;
  }
  Entry& victim = self.entries[live_.last_serial % self.entries.size()];
  release(self, victim);
  return victim;
}

}  // namespace millrace
