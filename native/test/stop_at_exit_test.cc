#include "millrace/base/stop_at_exit.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "seed.h"
#include "support/staged_server.h"

namespace millrace {
namespace {

// Ends a child of this process with exit(), as an uncaught error ends Node: no destructor of what
// stands on a stack runs, those of static objects do. Answers what waitpid says. To be called
// before the test has threads.
int status_of_exit(const std::function<void()>& before_exit) {
  const pid_t child = ::fork();
  if (child == 0) {
    before_exit();
    std::exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

struct Noisy final : StopAtExit {
  Noisy(int fd, char name) : fd_(fd), name_(name) { remember(); }
  void stop_for_exit() override {
    if (::write(fd_, &name_, 1) != 1) ::_exit(9);
  }
  const int fd_;
  const char name_;
};

TEST(StopAtExit, StopsWhatIsStillThereOnceTheLatestFirst) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  EXPECT_EQ(status_of_exit([&] {
              static Noisy* objects[3];
              for (int i = 0; i < 3; ++i)
                objects[i] = new Noisy(pipe[1], static_cast<char>('a' + i));
              objects[1]->forget();
              objects[1]->forget();
            }),
            0);
  char stopped[8] = {};
  EXPECT_EQ(::read(pipe[0], stopped, sizeof stopped), 2);
  EXPECT_EQ(std::string(stopped), "ca");
  ::close(pipe[0]);
  ::close(pipe[1]);
}

// A static object that threads would still use if they lived on.
struct Ledger {
  ~Ledger() { alive = false; }
  bool alive = true;
};

TEST(StopAtExit, Hazard1_AProcessEndsWhileItsServerIsBusy) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  for (std::uint64_t round = 0; round < 8; ++round) {
    const int status = status_of_exit([seed, round] {
      static Ledger ledger;
      ledger.alive = true;
      // Neither is destroyed: what ends them is the exit.
      static StagedServer* const server = new StagedServer(pipeline_test_options(), [] {
        return [](ScriptedWorker& w, const InboundDescriptor& d) {
          if (!ledger.alive) std::abort();
          ScriptedWorker::echo_all(w, d);
        };
      });
      static std::thread* const load = new std::thread([] {
        for (;;) {
          LoopbackClient client(server->port);
          for (int i = 0; i < 100; ++i) client.try_send(framed("busy"));
          client.receive_now();
        }
      });
      const std::uint64_t moment = (seed + round * 7919) % 20'000;
      EXPECT_TRUE(load->joinable());
      while (server->pipeline.core.counters.bytes_read.load() < moment) std::this_thread::yield();
    });
    EXPECT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace millrace
