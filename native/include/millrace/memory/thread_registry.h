#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "millrace/base/spin_lock.h"

namespace millrace {

// Finds the calling thread's own part of a shared object ("domain"), such as its cache of a slab,
// and sees to it that the part is given back: when the thread ends, if the domain still lives, and
// not otherwise. Threads and domains may end in any order.
// Any thread may call anything. The only state of the process is a list of live domains, which
// needs no destructor; each thread has kEntries entries. find() costs a thread-local load and a
// compare; the rest takes a lock and is meant for the first call of a thread.
//
// A domain is known by a serial number that is never used again, so an entry of a domain that is
// gone can stay behind: it never matches.
class ThreadRegistry {
 public:
  // REQUIRES of both: quick, and no call into the registry.
  class Domain {
   public:
    std::uint64_t serial() const noexcept { return serial_; }

   protected:
    ~Domain() = default;

   private:
    friend class ThreadRegistry;
    // A part for the calling thread, or nullptr when there is none left.
    virtual void* claim() noexcept = 0;
    virtual void give_back(void* part) noexcept = 0;

    std::uint64_t serial_ = 0;
    Domain* next_ = nullptr;
  };

  static void add(Domain& domain) noexcept {
    std::lock_guard guard(live_.lock);
    domain.serial_ = ++live_.last_serial;
    domain.next_ = std::exchange(live_.first, &domain);
  }

  // Returns when no ending thread can call the domain any more. Its parts are not given back.
  static void remove(Domain& domain) noexcept {
    std::lock_guard guard(live_.lock);
    for (Domain** link = &live_.first; *link != nullptr; link = &(*link)->next_) {
      if (*link != &domain) continue;
      *link = domain.next_;
      break;
    }
    domain.serial_ = 0;
  }

  // This thread's part, if attach() has put it where the first look finds it.
  static void* find(std::uint64_t serial) noexcept {
    const Entry& entry = entries_[serial % kEntries];
    return entry.serial == serial ? entry.part : nullptr;
  }

  // This thread's part, claimed if need be. nullptr when the domain has none left, or when the
  // thread is past the destruction of its thread-local objects.
  static void* attach(Domain& domain) noexcept {
    if (ended_) return nullptr;
    Entry& home = entries_[domain.serial_ % kEntries];
    for (Entry& entry : entries_) {
      if (entry.serial != domain.serial_) continue;
      std::swap(entry, home);
      return home.part;
    }
    // Its destructor runs when this thread ends.
    static thread_local ThreadEnd thread_end;
    thread_end.arm();
    std::lock_guard guard(live_.lock);
    void* const part = domain.claim();
    if (part == nullptr) return nullptr;
    spare_entry() = home;
    home = Entry{domain.serial_, part};
    return part;
  }

  // Gives this thread's part back now.
  static void detach(Domain& domain) noexcept {
    for (Entry& entry : entries_) {
      if (entry.serial != domain.serial_ || entry.part == nullptr) continue;
      std::lock_guard guard(live_.lock);
      domain.give_back(std::exchange(entry, Entry{}).part);
      return;
    }
  }

 private:
  static constexpr std::size_t kEntries = 16;

  struct Entry {
    std::uint64_t serial;
    void* part;
  };

  struct Live {
    SpinLock lock;
    Domain* first;
    std::uint64_t last_serial;
  };

  class ThreadEnd {
   public:
    void arm() noexcept {}
    ~ThreadEnd() {
      ended_ = true;
      std::lock_guard guard(live_.lock);
      for (Entry& entry : entries_) release(entry);
    }
  };

  // REQUIRES of the following: the lock is held.
  static Domain* living(std::uint64_t serial) noexcept {
    Domain* domain = live_.first;
    while (domain != nullptr && domain->serial_ != serial) domain = domain->next_;
    return domain;
  }

  static void release(Entry& entry) noexcept {
    const Entry old = std::exchange(entry, Entry{});
    if (old.part == nullptr) return;
    if (Domain* const domain = living(old.serial)) domain->give_back(old.part);
  }

  // An unused entry, or one of a domain that is gone. A thread that uses more than kEntries
  // domains at a time gives the part of one of them back.
  static Entry& spare_entry() noexcept {
    for (Entry& entry : entries_) {
      if (entry.part == nullptr || living(entry.serial) == nullptr) return entry = Entry{};
    }
    Entry& victim = entries_[live_.last_serial % kEntries];
    release(victim);
    return victim;
  }

  static inline constinit Live live_{};
  static inline constinit thread_local std::array<Entry, kEntries> entries_{};
  static inline constinit thread_local bool ended_ = false;
};

}  // namespace millrace
