#include "explorer.h"

namespace millrace::model {

void Explorer::start_execution() {
  memory_.reset();
  races_.reset();
  choices_.restart();
  futex_ = {};
  notes_.clear();
  given_up_ = false;
  for (Thread& thread : threads_) {
    thread.asleep = false;
    thread.waiting = false;
    thread.fresh = true;
    thread.seen.clear();
  }
}

bool Explorer::enabled(const Thread& thread) {
  if (thread.fiber.finished() || thread.asleep) return false;
  return !thread.waiting || !overtaken(thread).empty();
}

// What the thread has looked at and is not the last in its location.
std::vector<Explorer::Seen> Explorer::overtaken(const Thread& thread) {
  std::vector<Seen> found;
  for (const Seen& seen : thread.seen) {
    if (memory_.at(seen.location).last() != seen.number) found.push_back(seen);
  }
  return found;
}

// False: given up.
bool Explorer::run_threads(int count) {
  for (running_ = 0; running_ < count && !given_up_; ++running_) current().fiber.resume();
  std::array<bool, kMaxThreads> sleeping{};  // in the sense of sleep sets
  while (!given_up_) {
    std::array<int, kMaxThreads> ways{};
    std::size_t found = 0;
    bool all_finished = true;
    bool any_enabled = false;
    for (int t = 0; t < count; ++t) {
      const Thread& thread = threads_[std::size_t(t)];
      if (!thread.fiber.finished()) all_finished = false;
      if (!enabled(thread)) continue;
      any_enabled = true;
      if (!sleeping[std::size_t(t)]) ways[found++] = t;
    }
    if (all_finished) return true;
    if (!any_enabled) {
      fail("a thread sleeps for ever");
      return false;
    }
    if (found == 0) break;
    const std::uint32_t chosen = choices_.choose(found);
    running_ = ways[chosen];
    const Operation done = current().next;
    for (std::uint32_t earlier = 0; earlier < chosen; ++earlier) {
      sleeping[std::size_t(ways[earlier])] = true;
    }
    for (int t = 0; t < count; ++t) {
      bool& sleeps = sleeping[std::size_t(t)];
      if (sleeps && !threads_[std::size_t(t)].next.commutes(done)) sleeps = false;
    }
    current().fiber.resume();
  }
  if (result_.holds()) ++result_.cut;
  return false;
}

void Explorer::announce(const void* address, bool writes, bool sequential) {
  current().next = {address, writes, sequential};
  current().fiber.wait();
}

void Explorer::cut() {
  given_up_ = true;
  current().fiber.wait();
}

void Explorer::fail(const std::string& what) {
  if (result_.holds()) {
    result_.failure = what;
    for (const std::string& note : notes_) result_.trace += note + "\n";
  }
  given_up_ = true;
  if (phase_ == Phase::kThreads && !current().fiber.finished() && !current().asleep) {
    current().fiber.wait();
  }
}

void Explorer::note_load(const std::source_location& where, Kind kind, int location,
                         std::uint16_t number) {
  Thread& thread = current();
  const Sites::Key site = Sites::key_of(where, kind);
  for (Seen& seen : thread.seen) {
    if (seen.site != site || seen.location != location) continue;
    if (seen.number == number) {
      if (++seen.rounds > kMostRounds) cut();
      return;
    }
    // The round before this one was another one.
    thread.seen.clear();
    break;
  }
  thread.fresh = true;
  thread.seen.push_back({site, location, number, 1});
}

std::uint64_t Explorer::load(const void* address, std::uint64_t held, std::memory_order order,
                             const std::source_location& where) {
  order = sites_.order_at(where, Kind::kLoad, order);
  const bool sequential = order == std::memory_order_seq_cst;
  if (phase_ != Phase::kThreads) {
    const Location& place = memory_.at(memory_.locate(address, held));
    return place.messages[place.last()].value;
  }
  announce(address, false, sequential);
  const int location = memory_.locate(address, held);
  Location& place = memory_.at(location);
  const std::size_t ways = place.order.size() - memory_.floor(running_, location, sequential);
  const std::uint16_t number = place.order[place.order.size() - 1 - choices_.choose(ways)];
  note_load(where, Kind::kLoad, location, number);
  const std::uint64_t value = memory_.read(running_, location, number, order);
  note("loads", address, value, order, where);
  return value;
}

void Explorer::store(const void* address, std::uint64_t held, std::uint64_t value,
                     std::memory_order order, const std::source_location& where) {
  order = sites_.order_at(where, Kind::kStore, order);
  const bool sequential = order == std::memory_order_seq_cst;
  if (phase_ != Phase::kThreads) {
    Location& place = memory_.at(memory_.locate(address, held));
    place.messages[place.last()].value = value;
    return;
  }
  announce(address, true, sequential);
  const int location = memory_.locate(address, held);
  Location& place = memory_.at(location);
  std::vector<std::size_t> ways;
  const std::size_t first = memory_.floor(running_, location, sequential) + 1;
  for (std::size_t i = place.order.size(); i >= first; --i) {
    if (i == place.order.size() || !place.messages[place.order[i]].adjacent) ways.push_back(i);
  }
  memory_.write(running_, location, ways[choices_.choose(ways.size())], value, order, -1);
  changed();
  note("stores", address, value, order, where);
}

void Explorer::plain_read(const void* address) {
  if (phase_ != Phase::kThreads) return;
  if (!races_.read(address, running_, memory_.threads[std::size_t(running_)].clock)) {
    fail("a data race: read after a write that nothing orders before it");
  }
}

void Explorer::plain_write(const void* address) {
  if (phase_ != Phase::kThreads) return;
  if (!races_.write(address, running_, memory_.threads[std::size_t(running_)].clock)) {
    fail("a data race: write after an access that nothing orders before it");
  }
}

void Explorer::pause() {
  if (phase_ != Phase::kThreads) return;
  Thread& thread = current();
  if (thread.fresh) {
    thread.fresh = false;
    return;
  }
  thread.waiting = true;
  announce(nullptr, false, false);
  thread.waiting = false;
  // A thread that waits long enough sees what is there: one of the messages at least.
  const std::vector<Seen> news = overtaken(thread);
  const Seen& seen = news[choices_.choose(news.size())];
  const Location& place = memory_.at(seen.location);
  memory_.see(memory_.threads[std::size_t(running_)].view, seen.location,
              place.order[place.positions[seen.number] + std::size_t{1}]);
  changed();
}

// Both calls hold a lock of the kernel, which orders them, and the memory before them, as any lock
// does; the look at the word is an ordinary load under that lock.
void Explorer::futex_wait(const void* address, std::uint32_t expected) {
  announce(address, true, false);
  Memory::ThreadState& self = memory_.threads[std::size_t(running_)];
  memory_.join(self.view, futex_.view);
  Memory::join(self.clock, futex_.clock);
  const int location = memory_.locate(address, 0);
  Location& place = memory_.at(location);
  const std::size_t ways = place.order.size() - memory_.floor(running_, location, false);
  const std::uint16_t number = place.order[place.order.size() - 1 - choices_.choose(ways)];
  const auto value = static_cast<std::uint32_t>(
      memory_.read(running_, location, number, std::memory_order_relaxed));
  memory_.join(futex_.view, self.view);
  Memory::join(futex_.clock, self.clock);
  ++self.clock[std::size_t(running_)];
  changed();
  if (value != expected) return;
  current().asleep = true;
  current().next = {address, true, false};
  current().fiber.wait();
}

void Explorer::futex_wake(const void* address) {
  announce(address, true, false);
  Memory::ThreadState& self = memory_.threads[std::size_t(running_)];
  memory_.join(self.view, futex_.view);
  Memory::join(self.clock, futex_.clock);
  memory_.join(futex_.view, self.view);
  Memory::join(futex_.clock, self.clock);
  ++self.clock[std::size_t(running_)];
  for (Thread& thread : threads_) {
    if (thread.asleep && thread.next.address == address) thread.asleep = false;
  }
  changed();
}

void Explorer::note(const char* what, const void* address, std::uint64_t value,
                    std::memory_order order, const std::source_location& where) {
  if (!tracing_) return;
  notes_.push_back("thread " + std::to_string(running_) + " " + what + " " + std::to_string(value) +
                   " (" + name_of(order) + ") at location " +
                   std::to_string(memory_.locate(address, 0)) + ", line " +
                   std::to_string(where.line()));
}

}  // namespace millrace::model
