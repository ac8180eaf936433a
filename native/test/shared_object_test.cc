#include "millrace/base/shared_object.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace millrace {
namespace {

struct Thing : SharedObject<Thing> {
  explicit Thing(int given) : value(given) {}
  int value;
};

struct Other : SharedObject<Other> {};

TEST(SharedObject, IsFoundByItsTokenWhileSomebodyHoldsIt) {
  auto first = Thing::make(7);
  const SharedToken token = first->token();
  auto second = Thing::find(token);
  ASSERT_EQ(second, first);
  first.reset();
  EXPECT_EQ(Thing::find(token)->value, 7);
  second.reset();
  EXPECT_EQ(Thing::find(token), nullptr);
}

TEST(SharedObject, IsNotFoundByAnotherNonceOrKind) {
  const auto thing = Thing::make(1);
  const SharedToken token = thing->token();
  EXPECT_EQ(Thing::find({token.id, token.nonce ^ 1}), nullptr);
  EXPECT_EQ(Thing::find({token.id + 1, token.nonce}), nullptr);
  EXPECT_EQ(Other::find(token), nullptr);
  EXPECT_LT(token.nonce, std::uint64_t{1} << 53);
  EXPECT_EQ(Thing::copy_nonce(), Thing::copy_nonce());
}

TEST(SharedObject, MayEndWhileOthersLookForIt) {
  for (int round = 0; round < 200; ++round) {
    auto thing = Thing::make(round);
    const SharedToken token = thing->token();
    std::atomic<bool> go{false};
    std::vector<std::thread> seekers;
    for (int i = 0; i < 2; ++i) {
      seekers.emplace_back([&] {
        while (!go.load(std::memory_order_acquire)) {
        }
        while (const auto found = Thing::find(token)) EXPECT_EQ(found->value, round);
      });
    }
    go.store(true, std::memory_order_release);
    thing.reset();
    for (std::thread& seeker : seekers) seeker.join();
    EXPECT_EQ(Thing::find(token), nullptr);
  }
}

}  // namespace
}  // namespace millrace
